/* Shared by the files of "up": what the flags ask for (up.c), and the wait until it is so (upwait.c). */
#ifndef WARREN_CLI_PREFS_UP_H
#define WARREN_CLI_PREFS_UP_H

#include "cli/prefs/prefflags.h"
#include "term/qr.h"

struct up {
	struct cli *c;
	struct flag *flags;
	bool login;
	struct ipn_status before;
	struct ipn_prefs now, next;
	const char *auth_key;
	enum qr_style qr_style;
	struct lclient_stream *bus;
	/* while waiting */
	long long until_ms; /* monotonic; 0: for ever */
	const char *last_url, *last_why;
	bool printed, showed_progress;
	bool asked_login;
	bool left_stop; /* it was seen in another state than stopped */
	bool rekeyed;   /* the key that was asked for is there */
};

/* login has fewer flags. */
static inline bool up_on(const struct up *u, const char *name)
{
	return !u->login && flag_on(u->flags, name);
}

/* Has a login page made. False after an error was printed. */
bool up_ask_login(struct up *u);
/* Until the device is connected, and has another key where one was asked for; or until u->until_ms. The exit code. */
int up_wait(struct up *u);
/* What a person should hear of a device that is connected. The exit code: 1 when the hub did not take a setting. */
int up_tell_health(struct up *u);

#endif
