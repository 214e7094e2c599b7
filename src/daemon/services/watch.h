/*
 * daemon/services/watch: the bus: one answer that does not end, a message a line. What waits for a watcher is bounded in messages;
 * one that does not keep up is told so and cut off, as a gap would go unnoticed.
 */
#ifndef WARREN_DAEMON_SERVICES_WATCH_H
#define WARREN_DAEMON_SERVICES_WATCH_H

#include "daemon/services/facts.h"
#include "daemon/services/service.h"

enum {
	WATCH_QUEUE_MAX =
		128, /* messages that wait for one watcher; then it is told so and cut off */
	WATCH_ENGINE_PERIOD_S = 2, /* between two engine statuses to those who watch them */
};

struct watch;

struct watch_counters {
	uint64_t watchers_behind; /* that were cut off */
};

MUST_USE int watch_new(struct watch **ret, struct loop *l, const struct facts *f);
struct watch *watch_free(struct watch *w); /* after the LocalAPI: nobody watches any more */

/*
 * Tells watchers. Version is filled in; what a watcher's mask does not ask for is left out for it. Nothing in n is kept. Prefs may
 * hold secrets: they are left out.
 */
void watch_notify(struct watch *w, const struct ipn_notify *n);
/* Does anybody wait for what watch_notify would tell? Before work is put into a message. */
bool watch_is_heard(const struct watch *w);
const struct watch_counters *watch_counters(const struct watch *w);

extern const struct service watch_service; /* self: struct watch */

#endif
