<?php

declare(strict_types=1);

namespace App\Http\Controllers;

use App\Jobs\HeartlinePush;
use App\Services\HeartlineClient;
use App\Services\HeartlineRecipients;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Gate;

/** What a page asks its own backend for. All routes stand behind the application's own login (`auth`). */
class HeartlineController
{
    public function __construct(private readonly HeartlineClient $heartline)
    {
    }

    /** GET /api/token – what the page's `credentials` function resolves with. Only ever for oneself. */
    public function token(Request $request): JsonResponse
    {
        $id = (string) $request->user()->getAuthIdentifier();

        return new JsonResponse(['u' => "user:$id", 'token' => $this->heartline->token('user', $id)]);
    }

    /** GET /api/socket-user – the same as the classic page stores it for `jwt.getUser()`. */
    public function socketUser(Request $request): JsonResponse
    {
        $id = $request->user()->getAuthIdentifier();

        return new JsonResponse(['user_id' => $id, 'socket_token' => $this->heartline->token('user', $id)]);
    }

    /**
     * POST /api/push – a page says something to others. Who says it is decided here and not by the page; whether this
     * user may say it to these others is decided by the gate `heartline.say`, which refuses until you define it:
     * see HeartlineServiceProvider.
     */
    public function say(Request $request): JsonResponse
    {
        $form = $request->validate([
            'event' => ['required', 'string', 'regex:/^chat\w+$/'],
            'to' => ['required', 'string', 'max:1000', 'regex:/^(user:[\w-]+,?)+$/'],
            'msg' => ['required', 'json', 'max:8000'],
        ]);
        $to = HeartlineRecipients::of($form['to']);
        Gate::authorize('heartline.say', [$form['event'], $to]);

        $from = 'user:' . $request->user()->getAuthIdentifier();
        $said = json_decode($form['msg'], true);
        $text = is_array($said) ? (string) ($said['text'] ?? '') : (string) $said;
        HeartlinePush::dispatch($form['event'], ['from' => $from, 'text' => $text], [$from, ...$to]);

        return new JsonResponse('ok');
    }
}
