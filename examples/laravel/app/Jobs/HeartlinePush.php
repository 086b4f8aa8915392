<?php

declare(strict_types=1);

namespace App\Jobs;

use App\Services\HeartlineClient;
use App\Services\HeartlineException;
use App\Services\HeartlineRecipients;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;

/**
 * One push from the queue, so that a request never waits for the socket server:
 *
 *     HeartlinePush::dispatch('chat_list', 'reload', 'user:6');
 *     HeartlinePush::dispatch('user_tabbar', ['text' => '订单已发货', 'badge' => 3], ['user:6', 'user:7']);
 *     HeartlinePush::dispatch('chat1', ['text' => '您好'], $room->users);
 *
 * It reaches the devices that are connected then; for those that come later see HeartlineStoredPush.
 */
class HeartlinePush implements ShouldQueue
{
    use Dispatchable;
    use InteractsWithQueue;
    use Queueable;

    /** Attempts in all, and the seconds that one may take (more than the client's own timeout). */
    public int $tries = 5;
    public int $timeout = 15;

    /** @var list<string> */
    public readonly array $to;

    /**
     * @param mixed                       $to   see HeartlineRecipients::of; what is no recipient is refused here, where
     *                                          it is dispatched
     * @param array<string, scalar|array> $more further fields of the frame
     */
    public function __construct(
        public readonly string $event,
        public readonly mixed $msg,
        mixed $to,
        public readonly array $more = [],
    ) {
        $this->to = HeartlineRecipients::of($to);
    }

    /** @return list<int> seconds before the second, third … attempt */
    public function backoff(): array
    {
        return [1, 5, 15, 60];
    }

    public function handle(HeartlineClient $heartline): void
    {
        try {
            $this->push($heartline);
        } catch (HeartlineException $problem) {
            if ($problem->retryable || $this->runsInPlace()) {
                throw $problem; // The queue tries again after `backoff()`; without one, the caller hears of it.
            }
            report($problem); // `fail` alone tells the table of failed jobs, and no log.
            $this->fail($problem);
        }
    }

    protected function push(HeartlineClient $heartline): void
    {
        $heartline->push($this->event, $this->msg, $this->to, $this->more);
    }

    /** Under the `sync` connection, `fail` would leave the caller of `dispatch` believing that all is well. */
    private function runsInPlace(): bool
    {
        return $this->job === null || $this->job->getConnectionName() === 'sync';
    }
}
