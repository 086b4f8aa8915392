"""The peer `socketify` (uWebSockets under Python): login by the classic token, one topic per user, publish to a topic.

Usage: python socketify_server.py PORT KEY
"""

import hashlib
import json
import sys

from socketify import App, OpCode

port, key = int(sys.argv[1]), sys.argv[2]
app = App()


def message(socket, text, opcode):
    frame = json.loads(text)
    event, data = frame["event"], frame["data"]
    if event == "login":
        token = hashlib.md5((data["u"].split(":")[1] + key).encode()).hexdigest()
        ok = token == data["token"]
        if ok:
            socket.subscribe(data["u"])
        socket.send(json.dumps({"type": "respon", "event": frame["uuid"], "data": {"error": 0 if ok else 1}}))
    elif event == "ping":
        socket.send(json.dumps({"type": "respon", "event": frame["uuid"], "data": {"error": 0}}))
    elif event == "publish":
        text = json.dumps({"type": "app", "event": "chat1", "to": data["to"], "msg": data["msg"]})
        app.publish(data["to"], text, OpCode.TEXT)


app.ws("/*", {"compression": 0, "max_payload_length": 1024 * 1024, "idle_timeout": 0, "message": message})
app.listen({"host": "127.0.0.1", "port": port}, lambda config: None)
app.run()
