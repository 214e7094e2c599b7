/*
 * os/resolver: makes the system's resolver say what we want (servers, search domains, domains that alone go to these servers), and undoes it
 * exactly: at the end, and at the next start after a crash. Who is told depends on who writes /etc/resolv.conf on this machine.
 *
 * If somebody else rewrites the file, his content is the new base, and ours is written once more. At the second time within
 * RESOLVER_QUIET his content stays: two programs that write one file in turn help nobody. The owner shows that as a fault.
 *
 * Source: Tailscale net/dns/manager_linux.go and its neighbours for how a manager is found; org.freedesktop.resolve1(5), resolvconf(8).
 */
#ifndef WARREN_OS_RESOLVER_RESOLVER_H
#define WARREN_OS_RESOLVER_RESOLVER_H

#include "os/loop/loop.h"
#include "proto/resolvconf/resolvconf.h"

#define RESOLVER_QUIET SEC(600)

/* What an administrator wants, by --dns. */
enum resolver_choice {
	RESOLVER_AUTO,
	RESOLVER_USE_RESOLVED,
	RESOLVER_USE_RESOLVCONF, /* Debian's or openresolv, whichever is there */
	RESOLVER_USE_FILE,
	RESOLVER_OFF,
};
/* "auto", "resolved", "resolvconf", "file", "off". -ERR_BAD_VALUE. */
MUST_USE int resolver_choice_parse(const char *s, enum resolver_choice *ret);

/* Who is told. */
enum resolver_manager {
	RESOLVER_NOBODY, /* nothing was wanted yet, or nothing is to be done */
	RESOLVER_FILE,
	RESOLVER_NETWORKMANAGER, /* it writes the file itself, and is led past it by a link */
	RESOLVER_DEBIAN_RESOLVCONF,
	RESOLVER_OPENRESOLV,
	RESOLVER_RESOLVED,
};
/* "systemd-resolved", ...; "none". */
const char *resolver_manager_name(enum resolver_manager m);

enum resolver_state {
	RESOLVER_IDLE,    /* the system is as others made it */
	RESOLVER_WORKING, /* a manager is being looked for or told */
	RESOLVER_SET,     /* the system says what we want */
	RESOLVER_YIELDED, /* somebody else's content stays */
	RESOLVER_FAILED,  /* rc says why */
};

struct resolver_status {
	enum resolver_state state;
	enum resolver_manager manager;
	const char *why; /* this manager; static */
	unix_ms since;   /* of the state; 0: from the start */
	int rc;
	bool splits; /* only some domains come to us */
	unsigned
		overwritten; /* how often others have rewritten what we wrote, since it was wanted */
	enum resolvconf_owner other; /* who says so in the file that he wrote the last time */
};

struct resolver;

struct resolver_cfg {
	struct loop *loop;
	const char *root;      /* "": the machine's */
	const char *interface; /* the TUN device's name */
	enum resolver_choice choice;
	/* Status or base have changed. From the loop, never from within a call. */
	void (*changed)(void *ctx);
	void *ctx;
};

/* Undoes what a daemon that was killed left behind. -ENOMEM, -ENAMETOOLONG, -errno. */
MUST_USE int resolver_new(struct resolver **ret, const struct resolver_cfg *cfg);
/* Undoes all, and waits for it: the loop runs meanwhile, for a few seconds at the most. */
struct resolver *resolver_free(struct resolver *r);

/* What the system is to say. Both are empty or none is. */
struct resolver_wish {
	const struct os_dns_config
		*whole; /* where all questions go to the servers; match is not looked at */
	const struct os_dns_config
		*split;  /* where a manager can send some domains only; NULL: as whole */
	bool add_search; /* whole: the search domains of the others come behind ours */
};
/* NULL, or empty: what it said before. Copied. The same as before: nothing is done. -ENOMEM. */
MUST_USE int resolver_want(struct resolver *r, const struct resolver_wish *w);
/* Addresses or links have changed: others may say something new. */
void resolver_on_network_change(struct resolver *r);

struct resolver_status resolver_status(const struct resolver *r);
/* Do only some domains come to us? */
bool resolver_splits(const struct resolver *r);
/* What others say: servers, without ours, and search domains. Good until the next `changed`. */
const struct os_dns_config *resolver_base(const struct resolver *r);

/* What resolver_new does first, for a program that then ends. -errno: not everything could be undone. */
MUST_USE int resolver_cleanup(const char *root, const char *interface);

#endif
