<?php

// Where the Heartline server is, and the secrets shared with it. Values come from .env.

return [
    // Where pushes go by HTTP: the server's port, or its --push-listen where it has one.
    'url' => env('HEARTLINE_URL', 'http://127.0.0.1:8080'),

    // Sent with each push: the server's --push-key. Without it pushes are refused, unless the server is started with
    // --loopback-push and runs on this machine.
    'push_key' => env('HEARTLINE_PUSH_KEY'),

    // Seconds for one push: to connect, and in all.
    'connect_timeout' => 2.0,
    'timeout' => 5.0,

    // The key of each role. A device's token is md5(ID + key); the key itself never leaves the backend.
    'role_keys' => [
        'user' => env('HEARTLINE_USER_KEY'),
    ],
];
