<?php

declare(strict_types=1);

namespace App\Jobs;

use App\Services\HeartlineClient;

/**
 * One push that must not be lost: the server stores it before it answers, and devices that were away get it when they
 * come back (if their page uses `durable()`).
 *
 *     HeartlineStoredPush::dispatch('chat1', ['text' => '您好'], $room->users, "message-{$message->id}");
 *
 * Each job has an id, given or made once, so that the queue may run it again: it is stored once. The id also finds
 * the receipts: `$heartline->receipts("message-{$message->id}")`.
 */
class HeartlineStoredPush extends HeartlinePush
{
    public readonly string $id;

    /** @param array<string, mixed> $options see HeartlineClient::pushStored */
    public function __construct(
        string $event,
        mixed $msg,
        mixed $to,
        ?string $id = null,
        public readonly array $options = [],
    ) {
        parent::__construct($event, $msg, $to);
        $this->id = $id ?? bin2hex(random_bytes(12));
    }

    protected function push(HeartlineClient $heartline): void
    {
        $heartline->pushStored($this->event, $this->msg, $this->to, $this->id, $this->options);
    }
}
