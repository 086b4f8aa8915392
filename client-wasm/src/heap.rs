//! A small allocator: the client keeps few, long-lived tables, and the standard one would be a seventh of the module.

use lol_alloc::{FreeListAllocator, LockedAllocator};

#[global_allocator]
static HEAP: LockedAllocator<FreeListAllocator> = LockedAllocator::new(FreeListAllocator::new());
