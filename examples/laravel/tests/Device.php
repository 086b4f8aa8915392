<?php

declare(strict_types=1);

/** A device in as few lines as will do: one WebSocket that logs in and reads text frames. For the tests only. */
final class Device
{
    /** @var resource */
    private $socket;

    public function __construct(string $httpUrl, string $user, string $token)
    {
        $host = parse_url($httpUrl, PHP_URL_HOST);
        $port = parse_url($httpUrl, PHP_URL_PORT) ?? 80;
        $socket = stream_socket_client("tcp://$host:$port", $code, $reason, 5);
        if ($socket === false) {
            throw new RuntimeException("no connection to $host:$port: $reason");
        }
        $this->socket = $socket;
        stream_set_timeout($socket, 10);
        fwrite($socket, "GET / HTTP/1.1\r\nHost: $host:$port\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            . 'Sec-WebSocket-Key: ' . base64_encode(random_bytes(16)) . "\r\nSec-WebSocket-Version: 13\r\n\r\n");
        $status = fgets($socket);
        if ($status === false || !str_contains($status, ' 101 ')) {
            throw new RuntimeException('no upgrade: ' . var_export($status, true));
        }
        while (($line = fgets($socket)) !== false && trim($line) !== '');

        $this->say(['event' => 'login', 'data' => ['u' => $user, 'token' => $token], 'uuid' => 'php-1']);
        $reply = $this->next();
        if (($reply['event'] ?? null) !== 'php-1' || ($reply['data']['error'] ?? null) !== 0) {
            throw new RuntimeException('login refused: ' . json_encode($reply, JSON_UNESCAPED_UNICODE));
        }
    }

    /** The next message, decoded; server pings are answered and passed over. */
    public function next(): array
    {
        while (true) {
            $head = $this->read(2);
            $length = ord($head[1]) & 127;
            if ($length === 126) {
                $length = unpack('n', $this->read(2))[1];
            } elseif ($length === 127) {
                $length = unpack('J', $this->read(8))[1];
            }
            $payload = $this->read($length);
            if ((ord($head[0]) & 15) !== 1) {
                continue; // A control frame: nothing here depends on it.
            }
            $message = json_decode($payload, true, 512, JSON_THROW_ON_ERROR);
            if (($message['type'] ?? null) !== 'ping') {
                return $message;
            }
            $this->say(['event' => 'response', 'uuid' => $message['uuid']]);
        }
    }

    private function say(array $message): void
    {
        $text = json_encode($message, JSON_THROW_ON_ERROR);
        if (strlen($text) > 65535) {
            throw new LogicException('this device only says short things');
        }
        $length = strlen($text) < 126 ? chr(0x80 | strlen($text)) : chr(0x80 | 126) . pack('n', strlen($text));
        $mask = random_bytes(4);
        fwrite($this->socket, "\x81$length$mask" . ($text ^ str_pad('', strlen($text), $mask)));
    }

    private function read(int $count): string
    {
        $bytes = '';
        while (strlen($bytes) < $count) {
            $more = fread($this->socket, $count - strlen($bytes));
            if ($more === false || $more === '') {
                throw new RuntimeException('nothing arrived in time, or the server closed');
            }
            $bytes .= $more;
        }

        return $bytes;
    }
}
