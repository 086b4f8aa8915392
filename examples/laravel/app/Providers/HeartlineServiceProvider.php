<?php

declare(strict_types=1);

namespace App\Providers;

use App\Services\HeartlineClient;
use Illuminate\Support\ServiceProvider;

/** Builds the one client from config/heartline.php. Register it in bootstrap/providers.php (or config/app.php). */
class HeartlineServiceProvider extends ServiceProvider
{
    public function register(): void
    {
        $this->app->singleton(
            HeartlineClient::class,
            fn ($app) => HeartlineClient::fromConfig($app['config']['heartline']),
        );
    }

    /**
     * Who may say something to whom from a page. Nobody, until you define it with your own rooms:
     *
     *     Gate::define('heartline.say', fn (User $user, string $event, array $recipients) =>
     *         Room::named($event)->hasMembers(["user:{$user->id}", ...$recipients]));
     */
    public function boot(): void
    {
    }
}
