<?php

// Stand-ins for the few Laravel names that the jobs and the controller use, so that they run under plain PHP. They do
// what the real ones do as far as the tests look: `fail` marks a job as failed for good, a gate that nobody
// defined refuses.

namespace Illuminate\Contracts\Queue {
    interface ShouldQueue
    {
    }
}

namespace Illuminate\Foundation\Bus {
    trait Dispatchable
    {
        public static function dispatch(mixed ...$arguments): void
        {
            \StandIn::$dispatched[] = new static(...$arguments);
        }
    }
}

namespace Illuminate\Bus {
    trait Queueable
    {
    }
}

namespace Illuminate\Queue {
    trait InteractsWithQueue
    {
        public ?\QueueJob $job = null;
        public ?\Throwable $failedWith = null;

        public function fail(\Throwable $problem): void
        {
            $this->failedWith = $problem;
        }
    }
}

namespace Illuminate\Http {
    class JsonResponse
    {
        public function __construct(public readonly mixed $data)
        {
        }
    }

    class Request
    {
        public function __construct(private readonly object $user, private readonly array $form)
        {
        }

        public function user(): object
        {
            return $this->user;
        }

        /** Of the rules only the regular expressions. */
        public function validate(array $rules): array
        {
            foreach ($rules as $field => $those) {
                foreach ($those as $rule) {
                    if (str_starts_with($rule, 'regex:') && !preg_match(substr($rule, 6), $this->form[$field])) {
                        throw new \UnexpectedValueException($field);
                    }
                }
            }

            return $this->form;
        }
    }
}

namespace Illuminate\Support\Facades {
    class Gate
    {
        private static array $abilities = [];

        public static function define(string $ability, callable $decide): void
        {
            self::$abilities[$ability] = $decide;
        }

        public static function authorize(string $ability, array $arguments): void
        {
            $decide = self::$abilities[$ability] ?? fn () => false;
            if (!$decide(\StandIn::$user, ...$arguments)) {
                throw new \DomainException('This action is unauthorized.');
            }
        }
    }
}

namespace {
    /** What the application did. */
    class StandIn
    {
        public static array $dispatched = [];
        public static array $reported = [];
        public static ?object $user = null;
    }

    /** A job on a queue of this name. */
    class QueueJob
    {
        public function __construct(private readonly string $connection)
        {
        }

        public function getConnectionName(): string
        {
            return $this->connection;
        }
    }

    /** A user's model: it has an id, and shows itself as JSON, as Eloquent's do. */
    class UserModel
    {
        public function __construct(public readonly int $id)
        {
        }

        public function getAuthIdentifier(): int
        {
            return $this->id;
        }

        public function __toString(): string
        {
            return json_encode(['id' => $this->id]);
        }
    }

    /** A collection: it can be walked, and shows itself as JSON, as Laravel's do. */
    class Items extends ArrayIterator
    {
        public function __toString(): string
        {
            return json_encode($this->getArrayCopy());
        }
    }

    function report(\Throwable $problem): void
    {
        StandIn::$reported[] = $problem;
    }
}
