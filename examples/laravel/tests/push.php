<?php

// Pushes in every way a PHP backend does, against a running server, and looks at what the devices get.
//
//     heartline-server serve --listen 127.0.0.1:8080 --role-key user=KEY --push-key PUSH_KEY --memory
//     HEARTLINE_PUSH_KEY=PUSH_KEY HEARTLINE_URL=http://127.0.0.1:8080 HEARTLINE_USER_KEY=KEY php tests/push.php
//
// Exits with 1 if anything is not as it should be.

declare(strict_types=1);

if (!extension_loaded('curl')) {
    fwrite(STDERR, "PHP lacks the curl extension: install php-curl\n");
    exit(2);
}

require __DIR__ . '/../app/Services/HeartlineException.php';
require __DIR__ . '/../app/Services/HeartlineClient.php';
require __DIR__ . '/stand-ins.php';
require __DIR__ . '/../app/Jobs/HeartlinePush.php';
require __DIR__ . '/Device.php';

use App\Jobs\HeartlinePush;
use App\Services\HeartlineClient;
use App\Services\HeartlineException;

$url = getenv('HEARTLINE_URL') ?: 'http://127.0.0.1:8080';
$key = getenv('HEARTLINE_USER_KEY') ?: '';
$pushKey = getenv('HEARTLINE_PUSH_KEY') ?: null;
if ($key === '') {
    fwrite(STDERR, "HEARTLINE_USER_KEY is not set: the key of the role `user`\n");
    exit(2);
}

$client = new HeartlineClient($url, $pushKey, ['user' => $key]);
$six = new Device($url, 'user:6', $client->token('user', 6));
$seven = new Device($url, 'user:7', $client->token('user', '7'));
$checks = 0;
$failures = 0;

function check(string $what, mixed $expected, mixed $got): void
{
    global $checks, $failures;
    $checks++;
    $same = $expected === $got;
    $failures += $same ? 0 : 1;
    echo ($same ? 'ok   ' : 'FAIL '), $what, "\n";
    if (!$same) {
        $show = fn ($value) => substr(var_export($value, true), 0, 600);
        echo "     expected: {$show($expected)}\n     got:      {$show($got)}\n";
    }
}

/** A bare curl as backends write it. Returns [status, body, seconds]. */
function curl(string|array $fields, array $headers = []): array
{
    global $url, $pushKey;
    if ($pushKey !== null) {
        $headers[] = "Authorization: Bearer $pushKey";
    }
    $curl = curl_init($url);
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $fields,
        CURLOPT_HTTPHEADER => $headers,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
    ]);
    $body = curl_exec($curl);
    if ($body === false) {
        throw new RuntimeException('curl: ' . curl_error($curl));
    }

    return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $body, curl_getinfo($curl, CURLINFO_TOTAL_TIME)];
}

function answer(string|array $fields, array $headers = []): array
{
    return array_slice(curl($fields, $headers), 0, 2);
}

/** A frame's fields in a settled order, so that two can be compared with ===. */
function sorted(array $frame): array
{
    ksort($frame);

    return $frame;
}

function frame(string $event, mixed $msg, mixed $to, array $more = []): array
{
    return sorted(['event' => $event, 'msg' => $msg, 'to' => $to, 'type' => 'app'] + $more);
}

// 1. The three bodies that PHP backends send.
$form = ['event' => 'chat1', 'msg' => 'reload', 'to' => 'user:6', 'type' => 'app'];
check('multipart (curl given an array) is answered ok', [200, 'ok'], answer($form));
check('… and arrives as it was sent', frame('chat1', 'reload', 'user:6'), sorted($six->next()));
check('a urlencoded text is answered ok', [200, 'ok'], answer(http_build_query($form)));
check('… and arrives as it was sent', frame('chat1', 'reload', 'user:6'), sorted($six->next()));
$json = json_encode(['msg' => ['id' => 5]] + $form);
check('a JSON body is answered ok', [200, 'ok'], answer($json, ['Content-Type: application/json']));
check('… and arrives as it was sent', frame('chat1', ['id' => 5], 'user:6'), sorted($six->next()));

// 2. What msg may be.
$texts = ['0' => 0, '{"a":1}' => ['a' => 1], '"q"' => 'q', '007' => '007', 'null' => 'null', '' => '', '你好,世界 🎉' => '你好,世界 🎉'];
foreach ($texts as $text => $value) {
    $text = (string) $text;
    check("msg `$text` is accepted", [200, 'ok'], answer(['msg' => $text] + $form));
    check('… and means ' . json_encode($value, JSON_UNESCAPED_UNICODE), $value, $six->next()['msg']);
}

// 3. Whom it is for.
answer(['to' => ' user:6, ,user:7,user:6 '] + $form);
check('a comma list reaches the first', 'reload', $six->next()['msg']);
check('… and the second', 'reload', $seven->next()['msg']);
answer(http_build_query(['to' => ['user:6', 'online:user:7'], 'msg' => 'array'] + $form));
check('a PHP array reaches the first, who got the comma list once only', 'array', $six->next()['msg']);
check('… and the second', 'array', $seven->next()['msg']);
answer(['to' => 'user:66,user:77', 'msg' => 'others'] + $form);
answer(['to' => 'user:6', 'msg' => 'mine'] + $form);
check('ids are compared whole', 'mine', $six->next()['msg']);
check('nobody there is still ok', [200, 'ok'], answer(['to' => 'user:nobody'] + $form));

// 4. What is refused.
check('an event that is not allowed', [200, 'fail'], answer(['event' => 'order1'] + $form));
foreach (['to' => 'no to', 'msg' => 'no msg'] as $missing => $what) {
    [$status, $body] = curl(array_diff_key($form, [$missing => 0]));
    check("$what: a definite 4xx with the reason", [true, true], [$status >= 400 && $status < 500, $body !== '']);
}

// 5. Over 1 MB curl asks first (Expect: 100-continue), and waits a second for a server that does not answer.
$large = str_repeat('长', 400_000);
[$status, $body, $seconds] = curl(['msg' => $large] + $form);
check('1.2 MB are answered ok', [200, 'ok'], [$status, $body]);
check('… and arrive whole', md5($large), md5($six->next()['msg']));
check(sprintf('… without the wait of a second (%.3f s)', $seconds), true, $seconds < 0.9);

// 6. The class and the job of this example.
foreach (['文本', '007', 7, 1.5, true, ['text' => '订单已发货', 'badge' => 3], [1, [2]]] as $value) {
    $client->push('user_tabbar', $value, ['user:6', 'user:7']);
    check('the client carries ' . json_encode($value, JSON_UNESCAPED_UNICODE), $value, $six->next()['msg']);
    $seven->next();
}
$job = new HeartlinePush('chat_list', 'reload', 'user:6', ['room' => '9']);
unserialize(serialize($job))->handle($client);
check('the job pushes after a trip through the queue', frame('chat_list', 'reload', 'user:6', ['room' => '9']), sorted($six->next()));
$refused = new HeartlinePush('order1', 'x', 'user:6');
$refused->handle($client);
check('a refusal fails the job for good', true, $refused->failedWith instanceof HeartlineException);
try {
    (new HeartlinePush('chat1', 'x', 'user:6'))->handle(new HeartlineClient('http://127.0.0.1:9', connectTimeout: 0.5));
    check('an absent server makes the job throw', true, false);
} catch (HeartlineException $problem) {
    check('an absent server makes the queue try again', true, $problem->retryable);
}

echo "$checks checks, $failures failures\n";
exit($failures === 0 ? 0 : 1);
