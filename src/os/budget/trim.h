/*
 * os/budget/trim: memory that remote parties filled goes back to the system when they have let go of much of it: the allocator keeps what is
 * freed, and after an attack that would be for ever.
 */
#ifndef WARREN_OS_BUDGET_TRIM_H
#define WARREN_OS_BUDGET_TRIM_H

#include "base/ledger/ledger.h"
#include "os/loop/loop.h"

enum { TRIM_BYTES = 16 << 20 }; /* so much less is held than before */
#define TRIM_EVERY SEC(2)       /* how often that is looked at */

struct trim;

/* The ledger is borrowed. -ENOMEM. */
MUST_USE int trim_new(struct loop *l, struct ledger *of, struct trim **ret);
struct trim *trim_free(struct trim *t);

#endif
