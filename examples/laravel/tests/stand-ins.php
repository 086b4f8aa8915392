<?php

// Stand-ins for the few Laravel names that the job uses, so that it runs under plain PHP. They do what the real
// ones do as far as the test looks: `fail` marks the job as failed for good.

namespace Illuminate\Contracts\Queue {
    interface ShouldQueue
    {
    }
}

namespace Illuminate\Foundation\Bus {
    trait Dispatchable
    {
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
        public ?\Throwable $failedWith = null;

        public function fail(\Throwable $problem): void
        {
            $this->failedWith = $problem;
        }
    }
}
