/*
 * daemon/state: the state file: names and values, in the format of tailscaled.state, which may be taken over as it is: one JSON
 * object with sorted keys, each value in base64. 0600, replaced atomically and durably. What we do not know stays.
 *
 * Source: Tailscale ipn/store.go, ipn/prefs.go; tests/fixtures/daemon.
 */
#ifndef WARREN_DAEMON_STATE_STATE_H
#define WARREN_DAEMON_STATE_STATE_H

#include "base/buf/buf.h"
#include "base/err/err.h"

enum { STATE_MAX = 16 << 20, STATE_KEYS_MAX = 4096 };

struct state;

/* path "" or NULL: in memory. A missing or empty file is an empty state. -ERR_BAD_FORMAT, -ERR_TOO_BIG, -errno. */
MUST_USE int state_open(struct state **ret, const char *path);
struct state *state_close(struct state *s); /* wiped; what was not written is lost */
bool state_is_durable(const struct state *s);

/* Empty: there is none. Good until the key is set. */
struct view state_get(const struct state *s, const char *key);
/* An empty value removes the key. -ENOMEM, -ERR_TOO_MANY. */
MUST_USE int state_set(struct state *s, const char *key, struct view value);
/*
 * What the file is to hold, if something changed since the last time; STATE_UNCHANGED: nothing did, or it is in memory.
 * -ERR_TOO_BIG and the like: it could not be read again, and the file before is to stay. out: secret, of STATE_MAX.
 */
enum { STATE_UNCHANGED = 1 };
MUST_USE int state_text(struct state *s, struct buf *out);
void state_failed(struct state *s); /* that text is not in the file: it is asked for again */

#endif
