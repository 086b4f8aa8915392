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
     * Pushes `$msg` as `$event` to one user ('user:6') or several. Devices get exactly the PHP value: it travels
     * as JSON, so that the text '007' stays a text and an array becomes an object.
     *
     * @param string|list<string>         $to   'user:6', 'user:6,user:7' or a list
     * @param array<string, scalar|array> $more further fields of the frame
     *
     * @throws HeartlineException when the server did not accept it
     */
    public function push(string $event, mixed $msg, string|array $to, array $more = []): void
    {
        if ($msg === null) {
            throw new InvalidArgumentException('a push needs a msg; null is none');
        }
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION;
        [$status, $body] = $this->post(http_build_query([
            'event' => $event,
            'type' => 'app',
            'msg' => json_encode($msg, $flags),
            'to' => is_array($to) ? implode(',', $to) : $to,
        ] + $more));

        if ($status === 200 && $body === 'ok') {
            return;
        }
        if ($status === 200 && $body === 'fail') {
            throw new HeartlineException("the server does not allow the event '$event'", false);
        }
        $retryable = $status >= 500 || $status === 429 || $status === 408;
        throw new HeartlineException("the server answered $status: " . substr($body, 0, 200), $retryable);
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

    /** @return array{int, string} */
    private function post(string $form): array
    {
        $this->curl ??= curl_init();
        $headers = ['Content-Type: application/x-www-form-urlencoded'];
        if ($this->pushKey !== null && $this->pushKey !== '') {
            $headers[] = 'Authorization: Bearer ' . $this->pushKey;
        }
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $this->url,
            CURLOPT_POSTFIELDS => $form,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT_MS => (int) ($this->connectTimeout * 1000),
            CURLOPT_TIMEOUT_MS => (int) ($this->timeout * 1000),
        ]);
        $body = curl_exec($this->curl);
        if ($body === false) {
            throw new HeartlineException('the server cannot be reached: ' . curl_error($this->curl), true);
        }

        return [curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $body];
    }
}
