<?php

// One push from the shell through the same client:  php tests/send.php URL EVENT TO MSG
// MSG is taken as JSON if it is JSON, else as text. Exits with 1 and the reason when it was not accepted.

declare(strict_types=1);

require __DIR__ . '/../app/Services/HeartlineException.php';
require __DIR__ . '/../app/Services/HeartlineRecipients.php';
require __DIR__ . '/../app/Services/HeartlineClient.php';

use App\Services\HeartlineClient;
use App\Services\HeartlineException;

if ($argc !== 5) {
    fwrite(STDERR, "usage: php send.php URL EVENT TO MSG\n");
    exit(2);
}
[, $url, $event, $to, $msg] = $argv;
try {
    (new HeartlineClient($url, getenv('HEARTLINE_PUSH_KEY') ?: null))->push($event, json_decode($msg, true) ?? $msg, $to);
} catch (HeartlineException $problem) {
    fwrite(STDERR, $problem->getMessage() . "\n");
    exit(1);
}
echo "ok\n";
