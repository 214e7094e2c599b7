/* hubctl/command: the commands, for those who run them and those who complete them. */
#ifndef WARREN_HUBCTL_COMMAND_H
#define WARREN_HUBCTL_COMMAND_H

#include "base/attr/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct cmd;

struct command {
	const char *group, *verb,
		*args;       /* verb NULL: the group is the command; it may be two words */
	size_t n_min, n_max; /* arguments after the verb */
	int (*fn)(struct cmd *c);
	const char *text;
	/*
	 * What each argument is, the last one's letter standing for all that follow: n device, u user, k auth key, w login or device
	 * that waits, r role, t tag, f file, o on or off, - anything.
	 */
	const char *kinds;
	const char *flags; /* names with blanks between */
};

extern const struct command command_table[]; /* group NULL ends it */

/* NULL: there is none. */
const struct command *command_find(const char *const *words, size_t n);
size_t command_words(const struct command *k); /* that it is called by */
/* Is the flag one of the command's? k NULL: of all commands. */
bool command_takes(const struct command *k, const char *flag);

#endif
