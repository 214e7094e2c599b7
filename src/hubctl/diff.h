/* hubctl/diff: two texts, line by line, in the unified form of diff -u. */
#ifndef WARREN_HUBCTL_DIFF_H
#define WARREN_HUBCTL_DIFF_H

#include "base/buf/buf.h"
#include "base/err/err.h"

/*
 * Appended; nothing when they are the same. As few lines as possible up to DIFF_EDITS_MAX; texts
 * that differ in more are shown as taken away and put there as a whole. -ENOMEM, -ERR_TOO_BIG.
 */
enum { DIFF_EDITS_MAX = 2000, DIFF_CONTEXT = 3 };
MUST_USE int diff_unified(
	struct view a, const char *a_name, struct view b, const char *b_name, struct buf *out);

#endif
