/*
 * os/resolver/internal: between the files of the resolver: who manages (choose.c, pure), the file (etc.c), the program and our
 * record (record.c), what has come (state.c) < what others say (base.c) < the managers (file.c, program.c, resolved.c) < what this machine
 * shows of who manages (facts.c) < resolver.c.
 */
#ifndef WARREN_OS_RESOLVER_INTERNAL_H
#define WARREN_OS_RESOLVER_INTERNAL_H

#include "base/arena/arena.h"
#include "os/dbus/dbus.h"
#include "os/filewatch/filewatch.h"
#include "os/resolver/etc.h"
#include "os/resolver/resolver.h"
#include "os/spawn/spawn.h"

/* ---- choose.c ---- */

struct resolver_facts {
	bool missing; /* no /etc/resolv.conf */
	enum resolvconf_owner owner;
	bool nm_file;        /* NetworkManager says in a file of its own what it wants */
	bool stub;           /* its only server is systemd-resolved's */
	bool nss_resolve;    /* nsswitch.conf asks systemd-resolved before DNS */
	bool has_resolvconf; /* the program */
	bool is_debian;      /* it is Debian's */
	bool resolved_runs;  /* on D-Bus */
};

enum resolver_manager resolver_choose(
	enum resolver_choice choice, const struct resolver_facts *f, const char **ret_why);

/* ---- the resolver ---- */

#define RESOLVER_RESOLVED_FILE "/run/systemd/resolve/resolv.conf" /* what it asks itself */
#define RESOLVER_DEBIAN_DIR "/run/resolvconf/interface"
#define RESOLVER_OPENRESOLV_DIR "/run/resolvconf/interfaces"

enum { RESOLVER_NAME_MAX = 32 }; /* of an interface, and of our record among those of a program */

/* What became of it: state and rc; SET with an empty want is IDLE. */
struct resolver_result {
	enum resolver_state state;
	int rc;
};

/*
 * A manager. sync: makes the system say r->want; empty: what it said before. True: done, *ret says how; false: resolver_done comes
 * later.
 */
struct resolver_ops {
	bool splits;
	bool follows_network; /* is told again when the network has changed */
	bool (*sync)(struct resolver *r, struct resolver_result *ret);
	void (*forget)(struct resolver *r); /* no word any more; nothing is undone */
};

extern const struct resolver_ops resolver_file_ops, resolver_program_ops, resolver_resolved_ops;

struct resolver {
	struct resolver_cfg cfg;
	char root[ETC_PATH_MAX], interface[RESOLVER_NAME_MAX];
	struct etc etc;
	struct os_dns_config whole, split; /* the wish, in want_mem */
	bool add_search;
	struct os_dns_config want; /* of these, what this manager is told; see resolver_select */
	const char *search[OSDNS_SEARCH_MAX];
	struct os_dns_config base;
	struct arena want_mem, base_mem;

	/* Who is told, and how far that is. */
	const struct resolver_ops *ops; /* NULL: not known */
	enum resolver_manager manager;
	const char *why;
	enum resolver_state state;
	unix_ms since;
	int rc;
	bool looking, busy; /* facts.c is at it; the manager is */
	bool again;         /* another configuration is wanted since it began */
	bool closing;       /* resolver_free waits for the end of busy */
	struct loop_timer *tell, *retry, *settle;
	bool done, once_more; /* for settle: what has come since */
	struct resolver_result result;
	mono_ns retry_after;

	struct resolver_facts facts;
	void (*looked)(struct resolver *r);
	struct spawn *spawn; /* of facts.c or of program.c */

	/* resolved.c */
	struct dbus *bus; /* NULL: none now */
	unsigned calls;   /* without an answer yet */
	int calls_rc;     /* the first failure among them */

	/* file.c */
	struct buf text; /* that we wrote */
	struct filewatch *watch;
	unsigned overwritten;
	mono_ns overwritten_at;
	enum resolvconf_owner other;
};

/* ---- state.c: looked at in the next turn ---- */

/* The manager has done what it can. */
void resolver_done(struct resolver *r, enum resolver_state state, int rc);
/* The manager is to be told once more, if anything is wanted. */
void resolver_once_more(struct resolver *r);
/* Tells the owner. */
void resolver_tell(struct resolver *r);

/* ---- facts.c ---- */

/* Finds out; then calls done, now or later. */
void resolver_look(struct resolver *r, void (*done)(struct resolver *r));

/* ---- base.c ---- */

void resolver_read_base(struct resolver *r);
/* What others say now, and what the manager is to be told by that. */
void resolver_select(struct resolver *r);

/* ---- resolved.c ---- */

MUST_USE int resolver_open_bus(struct resolver *r);
/* Does it run? */
MUST_USE int resolver_ask_resolved(struct resolver *r, dbus_fn fn);

/* ---- record.c ---- */

/* The name of our record in the tables of a resolvconf. */
void resolver_record(
	const struct resolver *r, enum resolver_manager m, char out[static 2 * RESOLVER_NAME_MAX]);
/* Is such a record left there? Then *ret says of which program. */
bool resolver_program_left(const struct resolver *r, enum resolver_manager *ret);
/* Where it is. False: nowhere, or it is systemd-resolved's, which knows real interfaces only. */
bool resolver_find_program(const struct resolver *r, char out[static ETC_PATH_MAX]);
/* Starts r->spawn. in: its standard input. */
int resolver_spawn(struct resolver *r, const char *const *argv, struct view in,
	void (*on_end)(void *ctx, int rc, int status, struct view out, struct view err));

#endif
