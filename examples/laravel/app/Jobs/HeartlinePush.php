<?php

declare(strict_types=1);

namespace App\Jobs;

use App\Services\HeartlineClient;
use App\Services\HeartlineException;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;

/**
 * One push from the queue, so that a request never waits for the socket server:
 *
 *     HeartlinePush::dispatch('chat_list', 'reload', 'user:6');
 *     HeartlinePush::dispatch('user_tabbar', ['text' => '订单已发货', 'badge' => 3], ['user:6', 'user:7']);
 */
class HeartlinePush implements ShouldQueue
{
    use Dispatchable;
    use InteractsWithQueue;
    use Queueable;

    /** Attempts in all, and the seconds that one may take (more than the client's own timeout). */
    public int $tries = 5;
    public int $timeout = 15;

    /**
     * @param string|list<string>         $to
     * @param array<string, scalar|array> $more
     */
    public function __construct(
        public readonly string $event,
        public readonly mixed $msg,
        public readonly string|array $to,
        public readonly array $more = [],
    ) {
    }

    /** @return list<int> seconds before the second, third … attempt */
    public function backoff(): array
    {
        return [1, 5, 15, 60];
    }

    public function handle(HeartlineClient $heartline): void
    {
        try {
            $heartline->push($this->event, $this->msg, $this->to, $this->more);
        } catch (HeartlineException $problem) {
            if ($problem->retryable) {
                throw $problem; // The queue tries again after `backoff()`.
            }
            $this->fail($problem);
        }
    }
}
