<?php

declare(strict_types=1);

namespace App\Services;

use InvalidArgumentException;

/**
 * Speaks to the Heartline server: pushes by HTTP, tokens for devices. Needs PHP 8.1 with curl, no framework.
 * Keep one instance: its connection to the server is used again.
 */
final class HeartlineClient
{
    private const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES
        | JSON_PRESERVE_ZERO_FRACTION;

    private ?\CurlHandle $curl = null;

    /** @param array<string, ?string> $roleKeys the key of each role, e.g. ['user' => '…'] */
    public function __construct(
        private readonly string $url,
        private readonly ?string $pushKey = null,
        private readonly array $roleKeys = [],
        private readonly float $connectTimeout = 2.0,
        private readonly float $timeout = 5.0,
    ) {
    }

    /** @param array<string, mixed> $config what config/heartline.php returns */
    public static function fromConfig(array $config): self
    {
        return new self(
            $config['url'],
            $config['push_key'] ?? null,
            $config['role_keys'] ?? [],
            (float) ($config['connect_timeout'] ?? 2.0),
            (float) ($config['timeout'] ?? 5.0),
        );
    }

    /**
     * The classic push: to the devices that are connected now. Devices get exactly the PHP value: it travels as JSON,
     * so that the text '007' stays a text and an array becomes an object.
     *
     * @param mixed                       $to   see HeartlineRecipients::of
     * @param array<string, scalar|array> $more further fields of the frame
     *
     * @throws HeartlineException       when the server did not accept it
     * @throws InvalidArgumentException when it is no push
     */
    public function push(string $event, mixed $msg, mixed $to, array $more = []): void
    {
        $form = http_build_query([
            'event' => $event,
            'type' => 'app',
            'msg' => json_encode(self::present($msg), self::JSON),
            'to' => implode(',', HeartlineRecipients::of($to)),
        ] + $more);
        [$status, $body] = $this->send('POST', $this->url, $form, 'application/x-www-form-urlencoded');

        if ($status === 200 && $body === 'ok') {
            return;
        }
        if ($status === 200 && $body === 'fail') {
            throw new HeartlineException(
                "the server does not allow the event '$event': start it with --push-event (push.events)",
                false,
            );
        }
        throw self::refused($status, $body);
    }

    /**
     * The API's push: stored before it is answered, so that a device that is away gets it when it comes back
     * (if its page uses `durable()`).
     *
     * With an `$id` the same push may be tried again as often as need be: it is stored once.
     *
     * @param mixed                $to      see HeartlineRecipients::of
     * @param array<string, mixed> $options `ttl` and `undelivered` (seconds), `collapseKey`, `transient`, `wait`,
     *                                      `waitMs`: docs/api.md
     *
     * @return array<string, mixed> the receipts: `id`, `repeated`, `recipients` …
     *
     * @throws HeartlineException       when the server did not accept it
     * @throws InvalidArgumentException when it is no push
     */
    public function pushStored(
        string $event,
        mixed $msg,
        mixed $to,
        ?string $id = null,
        array $options = [],
    ): array {
        $push = ['event' => $event, 'msg' => self::present($msg), 'to' => HeartlineRecipients::of($to)];
        if ($id !== null) {
            $push['id'] = $id;
        }
        $body = json_encode($push + $options, self::JSON);

        return $this->answered(...$this->send('POST', $this->api('push'), $body, 'application/json'));
    }

    /**
     * What became of a stored push: which devices it was written to, and which acknowledged it.
     *
     * @return ?array<string, mixed> null when no push of this id is kept (any more)
     *
     * @throws HeartlineException when the server does not say
     */
    public function receipts(string $id): ?array
    {
        [$status, $body] = $this->send('GET', $this->api('push/' . rawurlencode($id)));

        return $status === 404 ? null : $this->answered($status, $body);
    }

    /** The token with which the user `$role:$id` logs in on the socket. Hand it only to that very user. */
    public function token(string $role, string|int $id): string
    {
        $key = $this->roleKeys[$role] ?? null;
        if ($key === null || $key === '') {
            throw new InvalidArgumentException("no key is configured for the role '$role'");
        }

        return md5($id . $key);
    }

    private static function present(mixed $msg): mixed
    {
        return $msg ?? throw new InvalidArgumentException('a push needs a msg; null is none');
    }

    /** The API stands at the root, whatever path classic pushes go to. */
    private function api(string $path): string
    {
        $root = preg_replace('~^(https?://[^/?#]+).*$~i', '$1', $this->url);

        return "$root/api/v1/$path";
    }

    /** @return array<string, mixed> */
    private function answered(int $status, string $body): array
    {
        $answer = json_decode($body, true);
        if ($status !== 200 || !is_array($answer)) {
            throw self::refused($status, is_array($answer) ? (string) ($answer['detail'] ?? $body) : $body);
        }

        return $answer;
    }

    private static function refused(int $status, string $reason): HeartlineException
    {
        $retryable = $status >= 500 || $status === 429 || $status === 408;

        return new HeartlineException("the server answered $status: " . trim(substr($reason, 0, 300)), $retryable);
    }

    /** @return array{int, string} */
    private function send(string $method, string $url, ?string $body = null, string $type = ''): array
    {
        $this->curl ??= curl_init();
        $headers = $type === '' ? [] : ["Content-Type: $type"];
        if ($this->pushKey !== null && $this->pushKey !== '') {
            $headers[] = 'Authorization: Bearer ' . $this->pushKey;
        }
        curl_reset($this->curl); // The options only: its connections stay.
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $url,
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT_MS => (int) ($this->connectTimeout * 1000),
            CURLOPT_TIMEOUT_MS => (int) ($this->timeout * 1000),
        ] + ($body === null ? [] : [CURLOPT_POSTFIELDS => $body]));
        $answer = curl_exec($this->curl);
        if ($answer === false) {
            throw new HeartlineException('the server cannot be reached: ' . curl_error($this->curl), true);
        }

        return [curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $answer];
    }
}
