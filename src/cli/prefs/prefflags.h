/*
 * cli/prefs/prefflags: the flags that stand for preferences, shared by up, login, set and get: from flags to preferences, and back
 * to the flags that would give the preferences of now.
 */
#ifndef WARREN_CLI_PREFS_PREFFLAGS_H
#define WARREN_CLI_PREFS_PREFFLAGS_H

#include "cli/common/common.h"

#define DEFAULT_CONTROL_URL "https://controlplane.tailscale.com"

enum pref_command { PREF_UP = 1, PREF_LOGIN = 2, PREF_SET = 4 };

/* The flags of a command, those that are no preferences included. Static: one command runs. */
struct flag *prefflags_of(enum pref_command command);
/* Is it one that says something about preferences? */
bool prefflag_is_pref(const char *name);

/* Is it ours alone? The original's list of settings has it only when it is not as it always was. */
bool prefflag_is_ours(const char *name);

/*
 * The preferences that the flags ask for, on top of *p: every flag of the table when all, else those that were given;
 * edit (may be NULL) gets the same as an edit with the bits of what was given. False after an error was printed.
 */
bool prefflags_read(struct cli *c, const struct flag *flags, bool all, const struct ipn_status *s,
	struct ipn_prefs *p, struct ipn_masked_prefs *edit);

/* The value of a flag that would give these preferences. Booleans: "true", "false". */
const char *prefflag_value(
	struct cli *c, const char *name, const struct ipn_prefs *p, const struct ipn_status *s);

/* "" and both spellings of the default server are one. */
bool prefflags_same_url(const char *a, const char *b);
/* Warnings about what the preferences need of the kernel, on stdout. */
void prefflags_warn(struct cli *c, const struct flag *flags, const struct ipn_prefs *p);
/* Is what was named done by this daemon? False after an error was printed. p: with the flags read into it. */
bool prefflags_check_built(struct cli *c, const struct flag *flags, const struct ipn_prefs *p,
	const struct ipn_status *s);

#endif
