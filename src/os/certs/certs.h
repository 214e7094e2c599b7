/*
 * os/certs: a server's certificate from files, over its life: read again when the files change or it is asked to, while
 * connections go on; and told of, in the log and by numbers, when it expires, is close to it, or is for another name.
 */
#ifndef WARREN_OS_CERTS_CERTS_H
#define WARREN_OS_CERTS_CERTS_H

#include "os/loop/loop.h"
#include "os/stream/tls.h"

struct certs;

#define CERTS_SOON_MS \
	((unix_ms)14 * 24 * 3600 * 1000) /* or a quarter of its life, if that is less */

struct certs_cfg {
	struct loop *loop;
	struct tls_ctx *tls;              /* of tls_server_new with these files */
	const char *cert_file, *key_file; /* the owner's */
	const char *name; /* by which clients ask for it, the owner's; NULL: not known */
};

struct certs_state {
	unix_ms not_after;
	bool expired, soon, wrong_name;
	uint64_t reloads, failures; /* of reading them again */
};

/* Warns at once of what is wrong. Call it with the rights that will be there later: the files are read again with them. */
MUST_USE int certs_new(struct certs **ret, const struct certs_cfg *cfg);
struct certs *certs_free(struct certs *c);
/* Now, whether the files changed or not: for SIGHUP. */
void certs_reload(struct certs *c);
void certs_state(const struct certs *c, struct certs_state *ret);

#endif
