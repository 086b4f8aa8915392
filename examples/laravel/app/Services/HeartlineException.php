<?php

declare(strict_types=1);

namespace App\Services;

use RuntimeException;

/** A push that was not accepted. `retryable` tells whether the very same push may succeed later. */
final class HeartlineException extends RuntimeException
{
    public function __construct(string $message, public readonly bool $retryable)
    {
        parent::__construct($message);
    }
}
