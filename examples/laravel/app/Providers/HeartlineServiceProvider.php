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
}
