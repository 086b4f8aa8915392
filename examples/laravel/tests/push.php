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
require __DIR__ . '/../app/Services/HeartlineRecipients.php';
require __DIR__ . '/../app/Services/HeartlineClient.php';
require __DIR__ . '/stand-ins.php';
require __DIR__ . '/../app/Jobs/HeartlinePush.php';
require __DIR__ . '/../app/Jobs/HeartlineStoredPush.php';
require __DIR__ . '/../app/Http/Controllers/HeartlineController.php';
require __DIR__ . '/Device.php';

use App\Http\Controllers\HeartlineController;
use App\Jobs\HeartlinePush;
use App\Jobs\HeartlineStoredPush;
use App\Services\HeartlineClient;
use App\Services\HeartlineException;
use App\Services\HeartlineRecipients;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Gate;

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

/** The class of what a call throws; null for nothing. */
function thrown(callable $call): ?string
{
    try {
        $call();
    } catch (Throwable $problem) {
        return $problem::class;
    }

    return null;
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
$refused = new HeartlinePush('order.paid', 'x', 'user:6');
$refused->job = new QueueJob('redis');
$refused->handle($client);
check('a refusal fails the job for good', true, $refused->failedWith instanceof HeartlineException);
check('… and is reported, with the remedy', 1, preg_match('/order\.paid.*--push-event/', (string) StandIn::$reported[0]?->getMessage()));
foreach (['sync' => new QueueJob('sync'), 'no queue' => null] as $name => $queue) {
    $refused = new HeartlinePush('order.paid', 'x', 'user:6');
    $refused->job = $queue;
    check("with $name the caller hears of it", HeartlineException::class, thrown(fn () => $refused->handle($client)));
}
try {
    (new HeartlinePush('chat1', 'x', 'user:6'))->handle(new HeartlineClient('http://127.0.0.1:9', connectTimeout: 0.5));
    check('an absent server makes the job throw', true, false);
} catch (HeartlineException $problem) {
    check('an absent server makes the queue try again', true, $problem->retryable);
}

// 7. Who may be a recipient.
$recipients = [
    'a name' => 'user:6',
    'a comma list' => ' user:6, ,user:7,user:6 ',
    'an array' => ['user:6', 'online:user:7'],
    "a user's model" => new UserModel(6),
    'a collection of models' => new Items([new UserModel(6), new UserModel(7)]),
    'a collection of names in an array' => [new Items(['user:6']), 'xxx:1'],
    'an object that names itself' => new class {
        public function heartlineName(): string
        {
            return 'xxx:9';
        }
    },
];
$expected = [['user:6'], ['user:6', 'user:7'], ['user:6', 'online:user:7'], ['user:6'], ['user:6', 'user:7'], ['user:6', 'xxx:1'], ['xxx:9']];
foreach (array_keys($recipients) as $at => $what) {
    check("$what is a recipient", $expected[$at], HeartlineRecipients::of($recipients[$what]));
    check('… of a job too', $expected[$at], unserialize(serialize(new HeartlinePush('chat1', 'x', $recipients[$what])))->to);
}
$nobody = ['[]' => [], 'an empty text' => ' , ', 'null' => null, 'a number' => 6, 'an id alone' => '6', 'JSON' => '["user:6"]', 'a space' => 'user:6 7', 'no user' => new stdClass(), 'a list in a list in a …' => [[[[['user:6']]]]]];
foreach ($nobody as $what => $to) {
    check("$what is none", InvalidArgumentException::class, thrown(fn () => new HeartlinePush('chat1', 'x', $to)));
}
$client->push('chat1', 'to models', new Items([new UserModel(6), new UserModel(7)]));
check('a collection reaches the first', 'to models', $six->next()['msg']);
check('… and the second', 'to models', $seven->next()['msg']);

// 8. The push that is stored.
$id = 'test-' . bin2hex(random_bytes(8));
$first = $client->pushStored('chat1', ['text' => '存下来'], [new UserModel(6)], $id, ['ttl' => 60]);
check('a stored push is answered with receipts', [true, false, $id, 'user:6'], [$first['stored'], $first['repeated'], $first['id'], $first['recipients'][0]['to']]);
check('… and arrives', ['text' => '存下来'], $six->next()['msg']);
$again = $client->pushStored('chat1', ['text' => '存下来'], 'user:6', $id, ['ttl' => 60]);
check('the same again is stored once', [true, $first['recipients'][0]['offset']], [$again['repeated'], $again['recipients'][0]['offset']]);
check('its receipts can be asked for', $id, $client->receipts($id)['id'] ?? null);
check('of a push that was not there are none', null, $client->receipts('nothing of this name'));
$job = unserialize(serialize(new HeartlineStoredPush('chat1', 'by the queue', 'user:6')));
$job->handle($client);
$job->handle($client);
check('a stored push from the queue arrives', 'by the queue', $six->next()['msg']);
check('… and run again it is stored once', [true, 1], [strlen($job->id) >= 24, $client->receipts($job->id)['count'] ?? null]);
check('the next message is another', null, $client->push('chat1', 'next', 'user:6'));
check('… so nothing came twice', 'next', $six->next()['msg']);
check('an event that is not allowed throws', HeartlineException::class, thrown(fn () => $client->pushStored('order.paid', 'x', 'user:6')));
$elsewhere = new HeartlineClient("$url/some/path?x=1", $pushKey);
check('the API stands at the root', $id, $elsewhere->receipts($id)['id'] ?? null);
$keyless = new HeartlineClient($url, 'not the key');
check('a wrong key throws', HeartlineException::class, thrown(fn () => $keyless->receipts($id)));

// 9. What a page may say is the application's decision.
StandIn::$user = new UserModel(6);
$say = fn (string $to, string $event = 'chat1') => (new HeartlineController($client))
    ->say(new Request(StandIn::$user, ['event' => $event, 'to' => $to, 'msg' => '{"text":"hi","from":"user:1"}']));
check('nobody says anything to anybody until a gate allows it', DomainException::class, thrown(fn () => $say('user:7')));
check('… and nothing was pushed', [], StandIn::$dispatched);
Gate::define('heartline.say', fn ($user, string $event, array $to) => $event === 'chat1' && $to === ['user:7']);
check('another user than the gate allows is refused', DomainException::class, thrown(fn () => $say('user:7,user:8')));
check('what is no user is refused', UnexpectedValueException::class, thrown(fn () => $say('admin:1')));
check('what the gate allows is said', 'ok', $say('user:7')->data);
[$said] = StandIn::$dispatched;
check('… as who is logged in, to oneself and the others', [['from' => 'user:6', 'text' => 'hi'], ['user:6', 'user:7']], [$said->msg, $said->to]);
check('tokens are one\'s own', $client->token('user', 6), (new HeartlineController($client))->token(new Request(StandIn::$user, []))->data['token']);

echo "$checks checks, $failures failures\n";
exit($failures === 0 ? 0 : 1);
