/*
 * core/coord/tailnet: who is in the tailnet: users, auth keys, devices, and what of them is stored. State and look-ups, and no
 * decision about them. What changes is noted in the struct (`news` of a device, `noted`, `routers_changed`, the order of `nodes`,
 * `removed`): whoever tells devices takes it from there. For the folders of core/coord only; its owner knows types.h.
 */
#ifndef WARREN_CORE_COORD_TAILNET_TAILNET_H
#define WARREN_CORE_COORD_TAILNET_TAILNET_H

#include "base/list/list.h"
#include "base/map/map.h"
#include "base/vec/vec.h"
#include "core/coord/tailnet/types.h"

/* What must not be used again, even if what used it is gone; and what stays as long as the tailnet. */
struct coord_meta {
	int64_t next_id, next_host;
	const char *tailnet_id;
};
enum { TAILNET_ID_MAX = 64 };
/* A version of the policy as it is stored. */
struct coord_policy_doc {
	int64_t id;
	const char *author, *hash, *text;
	unix_ms created;
};
extern const struct json_type coord_meta_type, coord_settings_type, coord_policy_doc_type,
	coord_dns_type;

enum { HOSTS_MAX = 1 << 22 }; /* addresses in 100.64.0.0/10 */
enum { NODE_NAME_MAX = 63, USER_NAME_MAX = 255 };
enum { TAGGED_USER = 2147455555 }; /* owner of tagged devices, as headscale has it */

/* Immutable bytes that many messages share: a part of a map, compressed. */
struct map_frame {
	size_t refs, len;
	uint8_t b[];
};

struct user {
	struct map_node by_id;
	int64_t id_in_map;
	struct user_name *name; /* NULL: a name of an older database that would be none today */
	struct list in_name;
	struct list link;
	struct arena mem;
	struct coord_user doc;
};

struct authkey {
	struct map_node node; /* by hash */
	struct list link;
	struct arena mem;
	struct coord_key doc;
};

/* Up to PEER_GROUP_NODES devices whose documents are compressed together: a first map is made of groups. */
enum { PEER_GROUP_NODES = 64 };
struct peer_group {
	struct list link; /* ones with room first */
	struct list nodes;
	uint64_t number;       /* in the order in which they were made */
	size_t n, n_shown;     /* devices; those of them that all tells */
	uint64_t changed, at;  /* the latest change of its devices; the one that all tells */
	struct map_frame *all; /* NULL: to be made */
};

/* What the streams of a device are to be told, or are to do; whoever tells them takes it up. */
enum {
	NEWS_RESYNC = 1, /* everything anew */
	NEWS_SELF = 2,   /* what it is told of itself may be another thing */
	NEWS_HEALTH = 4, /* what is wrong with it is another thing */
	NEWS_WATCH = 8,  /* others depend on it, or do no longer */
	NEWS_END = 16,   /* they end */
};

struct coord_node {
	struct map_node by_key, by_id, by_name;
	struct list in_routers; /* while it has routes in use */
	struct ipprefix *use;   /* these */
	size_t n_use;
	uint64_t shown; /* hash of what all may know of its routes */
	bool hides_ip4, quarantined;
	bool expired; /* what doc.key_expired was when its peers and readers were told of it last */
	struct list former; /* struct former: its former_keys */
	bool subdomains;    /* names below its own are its own: peers are told */
	bool was_hidden;    /* it is in the list of those that are removed, from a quarantine */
	bool needed,
		watched; /* it is an exit node, or another router has a subnet of its; so it is watched */
	bool here;     /* it holds a stream, or did a moment ago: online if it may also take part */
	bool expected; /* it carried a route when the hub ended: routes count it as online until it is back, or COORD_RETURN_GRACE is over */
	unsigned news;
	struct list in_noted; /* while it has news */
	struct peer_group *group;
	struct list in_group;
	struct list link;       /* in order of the last change, oldest first */
	struct list in_machine; /* nodes of one machine key */
	struct machine *machine;
	struct arena mem; /* holds what doc points to */
	struct coord_node_doc doc;
	char *refused; /* what of its last settings is left out, and why; NULL: nothing */
	struct tailnet *tailnet;
	struct node_pub key_in_map; /* the map's copy: doc.key may move ahead of it */
	int64_t id_in_map;
	char *name_in_map;
	uint64_t changed,
		changed_whole; /* sequence of the last change, and of the last one that no patch can tell */
	struct map_frame *whole, *patch;
	uint64_t whole_at, patch_at;
	struct {
		mono_ns changes_full_at, bytes_full_at;
	} pace; /* intake/pace.c */
	struct waiting
		*waiting;     /* what it said and is not told yet; NULL: nothing (intake/say.c) */
	uint64_t readable_at; /* changed_whole, when what all are told was last read as they will */
	bool unsaved;         /* it was loaded, and is not what is stored */
	struct list sessions; /* the mapper's: the first one has the stream */
	unsigned n_once;      /* requests for one map that are open */
	struct heap_node ephemeral, offline; /* when it is deleted; when it counts as offline */
	unix_ms left;            /* when its last stream ended: told when it counts as offline */
	struct heap_node expiry; /* of its key, by the wall clock */
	uint64_t process;        /* which has, or had, its stream; 0: not known */
	struct rivals *rivals;   /* of that process; NULL: none seen lately (mapper/clones.c) */
};

struct machine {
	struct map_node node;
	struct machine_pub key;
	struct list nodes;
};

struct removed {
	uint64_t seq;
	int64_t id;
};

struct tailnet {
	struct coord_cfg cfg;
	/* What belongs to one folder only. */
	struct intake *intake;
	struct mapper *mapper;
	struct registrar *registrar;
	struct list users, keys, nodes, groups;
	struct map users_by_id, users_by_name, keys_by_hash, nodes_by_key, nodes_by_id,
		nodes_by_name, machines;
	struct map former_keys; /* struct former */
	struct list noted;      /* devices with news */
	uint64_t n_groups_made;
	struct heap expiries; /* by wall clock in ms: the deadline is expire_at */
	mono_ns expire_at;
	struct removed *removed; /* a ring of what was deleted, newest last */
	size_t n_removed, cap_removed;
	uint64_t seq, removed_floor;     /* readers behind the floor get a whole map */
	struct coord_meta meta;          /* numbers used last */
	char tailnet_id[TAILNET_ID_MAX]; /* meta points to it */
	uint8_t seed[16];                /* of all tables */
	struct policy_directory *policy;
	struct list versions; /* of the policy, the newest first: it runs */
	size_t n_versions, version_bytes;
	bool open; /* no policy: everybody reaches everybody */
	bool routers_changed;
	struct list routers;
	struct coord_settings settings;
	struct arena settings_mem;
	struct coord_dns dns;
	struct arena dns_mem;
	uint64_t dns_at;        /* counts its changes */
	mono_ns bcrypt_full_at; /* a bucket: how often a foreign key may be tried */
	uint8_t *hosts;         /* a bit for each address that is taken */
	mono_ns flush_at;       /* what has changed is told then */
	int failed; /* negative: memory is not what it should be, and only the disk is: the engine ends with the turn */
	struct coord_stats stats;
};

/* Nobody sees it, and it sees nobody. */
static inline bool coord_node_is_hidden(const struct coord_node *n)
{
	return n->doc.unapproved || n->quarantined;
}

/* It is told of nobody: neither peers, nor rules, nor names. */
static inline bool coord_node_is_alone(const struct coord_node *n)
{
	return coord_node_is_hidden(n) || n->expired;
}

/* Empty. -ENOMEM: *ret is to be freed, if it is not NULL. */
MUST_USE int tailnet_new(struct tailnet **ret, const struct coord_cfg *cfg);
struct tailnet *tailnet_free(struct tailnet *c);

/* events.c */
void tailnet_tell_with_key(const struct tailnet *c, enum coord_event_type type,
	const struct coord_node *n, const struct coord_key *key);
static inline void tailnet_tell(
	const struct tailnet *c, enum coord_event_type type, const struct coord_node *n)
{
	tailnet_tell_with_key(c, type, n, NULL);
}
void tailnet_tell_refusal(
	const struct tailnet *c, const char *what, const char *name, const char *why);
void tailnet_key_is_out(const struct tailnet *c, const struct node_pub *key);
void tailnet_note(struct tailnet *c, struct coord_node *n, unsigned news, struct now now);
void tailnet_flush_soon(struct tailnet *c, struct now now);
/* Something could not be done that cannot be left out: better to begin anew from the disk. The first rc counts. */
static inline void tailnet_fail(struct tailnet *c, int rc)
{
	c->failed = c->failed ? c->failed : rc;
}

/* store.c */
MUST_USE int store_doc(struct tailnet *c, enum coord_kind kind, int64_t id,
	const struct json_type *t, const void *doc);
/*
 * Saves what a device says of itself, and when it was seen. It says it again whenever it connects, so that others may hear of it
 * before it is durable: a standby router takes over also while the disk is slow.
 */
MUST_USE int store_said(struct tailnet *c, struct coord_node *n);
MUST_USE int store_copy_doc(
	const struct json_type *t, const void *from, void *to, struct arena *mem);
void store_delete(struct tailnet *c, enum coord_kind kind, int64_t id);

/* nodes.c */
struct coord_node *coord_node_by_key(struct tailnet *c, const struct node_pub *key);
struct coord_node *coord_node_by_id(const struct tailnet *c, int64_t id);
struct coord_node *coord_node_of_machine(
	struct tailnet *c, const struct machine_pub *m, int64_t user, bool tagged);
/* Puts a device into all tables. doc's memory becomes the node's; on failure it is freed. */
MUST_USE int coord_node_insert(struct tailnet *c, const struct coord_node_doc *doc,
	struct arena mem, struct coord_node **ret);
void coord_node_free(struct tailnet *c, struct coord_node *n);
enum telling { TELLS_NOBODY, TELLS_PATCH, TELLS_WHOLE };
/*
 * Another document: doc may point into anything, all is copied. What the policy engine is to hear of it is the caller's to say:
 * policy_sync_update does both.
 */
MUST_USE int coord_node_replace(struct tailnet *c, struct coord_node *n,
	const struct coord_node_doc *doc, enum telling what, bool durable, struct now now);
void coord_node_touch(struct tailnet *c, struct coord_node *n, bool whole, struct now now);
bool coord_node_lacks_tags(const struct coord_node_doc *doc);
/* Readers that have not come further than the floor are given a whole map. */
void coord_node_note_removed(struct tailnet *c, struct coord_node *n);

/* addresses.c */
int64_t addresses_host(const struct coord_node_doc *d);
/* Of our range, so that addresses_host is one of the table's. */
bool addresses_are_ours(const struct coord_node_doc *d);
bool addresses_are_taken(const struct tailnet *c, const struct coord_node_doc *d);
/* A free address of the pool, from a random place on. -1: there is none. */
int64_t addresses_in_pool(struct tailnet *c, struct ipprefix pool);
/* Given by an older hub: devices don't take it for a peer's. True: it has another one now. */
bool addresses_judge_old(struct coord_node_doc *d);
void addresses_next(struct tailnet *c, struct ipaddr *ret4, struct ipaddr *ret6);
void addresses_move(
	struct tailnet *c, const struct coord_node *n, int64_t host, struct coord_node_doc *doc);

/* online.c. True: whether it is online has changed, and is noted for its peers, but not with the policy. */
bool online_review(struct tailnet *c, struct coord_node *n, struct now now);

/* expiry.c */
bool coord_node_is_expired(const struct coord_node *n, unix_ms wall);
/* What its document and the clock say of its key is told, if that is another thing now. */
void expiry_follow(struct tailnet *c, struct coord_node *n, struct now now);
MUST_USE int expiry_watch(struct tailnet *c, struct coord_node *n,
	struct now now); /* the end of its key may be another */
void expiry_arm(struct tailnet *c, struct now now);

/* former.c: keys that devices had before. Who registers with one is told that it has expired, and must bring a fresh one. */
struct coord_node *coord_node_of_former(const struct tailnet *c, const struct node_pub *key);
/* The device's document is about to have another key: adds the one that it has. doc points to mem then. */
void former_add(const struct coord_node *n, struct coord_node_doc *doc,
	struct node_pub mem[static COORD_FORMER_KEYS_MAX]);

/* names.c */
/* A label: lower-case letters, digits and dashes inside, at most 63. Never empty. Any host name; its dots, blanks, @ and _ become dashes. */
void name_clean(const char *wanted, char out[static NODE_NAME_MAX + 1]);
bool name_taken(const struct tailnet *c, const char *name);
/* The name that it has, if it is free but for itself, else the next free one; in the tables from here on. */
MUST_USE int name_claim(struct tailnet *c, struct coord_node *n, const char *wanted);
/* One that no device has, made of the wanted one. */
void name_free(const struct tailnet *c, const char *wanted, char out[static NODE_NAME_MAX + 1]);
/* doc is about to become n's: its name, too, if it calls itself something else. -ENOMEM. */
MUST_USE int name_follow(struct tailnet *c, struct coord_node *n, struct coord_node_doc *doc);
/* Of a document that is older than name_pinned: a name that was not made of its host name was given by somebody. */
void name_judge_old(struct coord_node_doc *doc);

/* users.c */
MUST_USE int user_plain_name(const char *name, char out[static USER_NAME_MAX + 1]);
bool user_name_is_taken(const struct tailnet *c, const char *sees_all, const struct user *but);
MUST_USE int user_insert(struct tailnet *c, const struct coord_user *doc, struct user **ret);
/* durable: it is stored, too. */
MUST_USE int user_replace(
	struct tailnet *c, struct user *u, const struct coord_user *doc, bool durable);
void user_free(struct tailnet *c, struct user *u);
struct user *user_by_id(const struct tailnet *c, int64_t id);

/* keys.c */
void authkey_hash(struct tailnet *c, const char *text, char out[static 65]);
MUST_USE int authkey_insert(struct tailnet *c, const struct coord_key *doc, struct authkey **ret);
/* Another process changed it; doc NULL: deleted it. */
MUST_USE int authkey_apply(struct tailnet *c, int64_t id, const struct coord_key *doc);
/* *ret NULL: there is none. -EAGAIN: too many were tried that take long; -ENOMEM. */
MUST_USE int authkey_by_text(
	struct tailnet *c, const char *text, struct now now, struct authkey **ret);
MUST_USE int authkey_use(struct tailnet *c, struct authkey *k);
void authkey_free(struct tailnet *c, struct authkey *k);

/* peer_group.c */
struct map_frame *map_frame_raw(const void *p, size_t n); /* as it is */
struct map_frame *map_frame_get(struct map_frame *p);
struct map_frame *map_frame_put(struct map_frame *p);

#endif
