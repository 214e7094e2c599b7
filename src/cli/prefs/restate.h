/* cli/prefs/restate: "up" with some flags means all flags: what is set now and not mentioned would be lost without a word. */
#ifndef WARREN_CLI_PREFS_RESTATE_H
#define WARREN_CLI_PREFS_RESTATE_H

#include "cli/prefs/prefflags.h"

/* False after the refusal was printed, with the command that mentions everything. */
bool restate_check(struct cli *c, const struct flag *flags, const struct ipn_prefs *now,
	const struct ipn_prefs *next, const struct ipn_status *s);

#endif
