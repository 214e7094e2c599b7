/* core/coord/world: what the files of this directory share. */
#ifndef WARREN_CORE_COORD_INTERNAL_H
#define WARREN_CORE_COORD_INTERNAL_H

#include "base/list/list.h"
#include "base/map/map.h"
#include "base/ratelimit/ratelimit.h"
#include "core/coord/coord.h"

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
extern const struct json_type coord_meta_type, coord_settings_type, coord_policy_doc_type;

enum { HOSTS_MAX = 1 << 22 }; /* addresses in 100.64.0.0/10 */
enum { NODE_NAME_MAX = 63 };

/* Immutable bytes that many messages share: a part of a map, compressed. */
struct piece {
	size_t refs, len;
	uint8_t b[];
};

struct user {
	struct map_node by_id;
	int64_t id_in_map;
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

/* Up to BLOCK_NODES devices whose documents are compressed together: a first map is made of blocks. */
enum { BLOCK_NODES = 64 };
struct block {
	struct list link; /* ones with room first */
	struct list nodes;
	uint64_t number;      /* in the order in which they were made */
	size_t n, n_shown;    /* devices; those of them that all tells */
	uint64_t changed, at; /* the latest change of its devices; the one that all tells */
	struct piece *all;    /* NULL: to be made */
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
	bool here; /* it holds a stream, or did a moment ago: online if it may also take part */
	struct block *block;
	struct list in_block;
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
		changed_whole; /* world sequence of the last change, and of the last one that no patch can tell */
	struct piece *whole, *patch;
	uint64_t whole_at, patch_at;
	struct {
		mono_ns changes_full_at, bytes_full_at;
	} pace;                  /* pace.c */
	struct waiting *waiting; /* what it said and is not told yet; NULL: nothing (say.c) */
	uint64_t readable_at; /* changed_whole, when what all are told was last read as they will */
	bool unsaved;         /* it was loaded, and is not what is stored */
	struct list polls;
	unsigned n_once;                     /* requests for one map that are open */
	struct heap_node ephemeral, offline; /* when it is deleted; when it counts as offline */
	unix_ms left;            /* when its last stream ended: told when it counts as offline */
	struct heap_node expiry; /* of its key, by the wall clock */
	uint64_t process;        /* which has, or had, its stream; 0: not known */
	struct rivals *rivals;   /* of that process; NULL: none seen lately */
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

struct coord_poll {
	struct list in_node, all, unstarted;
	struct tailnet *tailnet;
	struct coord_node *node;
	void *owner;
	bool started, ended;
	bool told; /* it has had a map */
	/* It sees everybody, and of everybody what all are told: its messages are shared ones. */
	bool plain;
	bool hides_ip4;                            /* its own device's */
	bool again;                                /* everything is to be told anew */
	bool self_stale, filter_stale, ssh_stale;  /* perhaps */
	uint64_t self_told, filter_told, ssh_told; /* hashes of what it was told last */
	struct retell *retell; /* unless plain: peers of which there is something to tell */
	size_t n_retell, cap_retell;
	bool last; /* the message in progress is the last: its device is gone, or asked for one only */
	int64_t once_of; /* a request for one map, by this device: it is no stream of the device's; 0: it is */
	bool raw;               /* it did not ask for compression */
	uint64_t hold;          /* the message in progress begins when this batch is durable */
	struct list held;       /* while it is not */
	struct piece *alive;    /* a whole message that goes before a held one */
	uint64_t cursor;        /* everything up to here was told */
	struct piece **v;       /* the message in progress */
	size_t n, at, cap, off; /* off: of v[at] */
	uint64_t process;       /* who asks, as clone_process tells them apart */
	bool waits; /* for its turn, with its request; the stream is another process's */
	struct heap_node turn;
	char *request;
	size_t request_len;
	bool health_stale; /* what is wrong with it is another thing now */
	struct heap_node keep_alive;
	mono_ns ask_at; /* whether its program lives */
};

enum { RETELL_MAX = 4096 }; /* more: everything is told anew */
struct retell {
	int64_t id;
	bool whole;
};

/* Of a login's code: letters, and the text with a dash and a NUL. */
enum { CODE_LETTERS = 8, CODE_TEXT_MAX = CODE_LETTERS + 2 };

struct asker {
	struct machine_pub machine;
	struct node_pub key;
};

struct pending {
	struct map_node node, by_asker; /* by the letters of its code; by who asks */
	struct list link;               /* oldest first */
	struct tailnet *tailnet;
	struct ledger_holder share, holder; /* of logins; in the process's ledger */
	struct list pushed_out;             /* of one of them: it goes soon */
	char code[CODE_TEXT_MAX], plain[CODE_LETTERS + 1];
	char replaced[CODE_LETTERS + 1]; /* the code for what it asked for before, or "" */
	struct asker asker;
	struct arena mem;
	struct tc_register_request req;
	void *waiter; /* a Followup, or NULL */
	struct ipport from;
	unix_ms created;
	mono_ns expires;
};

/* An answer that waits for the store. */
struct answer {
	struct list link;
	void *owner;
	int status;
	struct buf body;
	uint64_t hold; /* until this batch is durable */
};

/* A message that every reader gets who stands at `from` and is not in it himself. */
enum { DELTAS_KEPT = 4 };
struct delta {
	uint64_t from, to;     /* to 0: unused */
	struct piece *message; /* NULL: there is nothing to tell */
};

/* One kind of request of which only so many are taken a second (shed.c). */
struct shed {
	mono_ns full_at; /* ahead of now by what was taken of the burst */
	mono_ns slot;    /* when the last one that was sent away is to come again */
	struct ratelimit sources;
};

struct tailnet {
	struct coord_cfg cfg;
	struct shed shed_register, shed_map;
	struct list users, keys, nodes, blocks, pendings, polls, answers;
	struct map users_by_id;
	uint64_t n_blocks_made;
	struct list unstarted; /* polls that have had no map yet and wait for nothing else */
	struct list
		held; /* readers whose message waits for the store; in the order of its batches */
	struct map former_keys; /* struct former */
	struct map pending_by_asker;
	struct ledger *logins;  /* that wait: how many there may be */
	struct list pushed_out; /* of them, by a ledger */
	struct map keys_by_hash, nodes_by_key, nodes_by_id, nodes_by_name, machines,
		pending_by_code;
	struct heap ephemerals, offline, keep_alives;
	struct heap waiting; /* what devices said, until it is told */
	struct heap turns,
		rivals; /* polls that wait for their turn; when a device counts as one again */
	struct heap expiries; /* by wall clock in ms: the deadline is expire_at */
	mono_ns expire_at;
	struct delta delta[DELTAS_KEPT];
	size_t next_delta;
	struct ZSTD_CCtx_s *zstd;
	struct removed *removed; /* a ring of what was deleted, newest last */
	size_t n_removed, cap_removed;
	uint64_t seq, removed_floor;     /* readers behind the floor get a whole map */
	struct coord_meta meta;          /* numbers used last */
	char tailnet_id[TAILNET_ID_MAX]; /* meta points to it */
	uint8_t seed[16];                /* of all tables */
	struct policy_directory *policy;
	struct list versions; /* of the policy, the newest first: it runs */
	size_t n_versions, version_bytes;
	bool open;       /* no policy: everybody reaches everybody */
	bool installing; /* what the new policy changes for whom is worked out already */
	bool routers_changed;
	struct list routers;
	uint64_t spread; /* changes up to here are noted with the readers that are not plain */
	size_t n_own;    /* readers that are not plain */
	struct map filter_parts; /* shared texts of filters, compressed */
	struct piece *all_ids;   /* PeersRemoved of everybody */
	uint64_t all_ids_at;
	struct coord_settings settings;
	struct arena settings_mem;
	uint8_t *hosts;              /* a bit for each address that is taken */
	struct piece *keep_alive[2]; /* the message as of then, compressed and raw */
	unix_ms keep_alive_at;
	mono_ns flush_at;
	bool store_failed;
	struct piece *comma;
	struct coord_stats stats;
};

/* A version of the policy that is kept. */
struct version {
	struct list link;
	struct arena mem;
	struct coord_policy_version v;
	struct view text;
};

static inline struct coord_poll *poll_of(const struct coord_node *n)
{
	return list_empty(&n->polls) ? NULL
				     : container_of(n->polls.next, struct coord_poll, in_node);
}

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

/* follow.c: what the policy engine is told of the world, and what it says has changed. */
MUST_USE int follow_start(
	struct tailnet *c, struct now now, struct err_at *at); /* after the load */
void follow_end(struct tailnet *c);
MUST_USE int role_of(const char *name, enum policy_role *ret);
MUST_USE int follow_user(struct tailnet *c, const struct user *u);
MUST_USE int follow_node(struct tailnet *c, struct coord_node *n,
	struct now now); /* its document or state is another */
void follow_gone(struct tailnet *c, struct coord_node *n);
void follow_drain(struct tailnet *c, struct now now); /* before messages are made */
/* Every device with routes again: the policy or the organisation's prefixes are others. */
MUST_USE int follow_routes(struct tailnet *c, struct now now);
/* The plan that runs now is about to be replaced by next. */
MUST_USE int follow_before_install(struct tailnet *c, struct policy_plan *next);

/* routes.c */
MUST_USE int routes_refresh(struct tailnet *c, struct coord_node *n); /* n->use */
bool routes_conflict(const struct tailnet *c,
	const struct coord_node *n); /* it offers what is not its to offer */
/* Approves what autoApprovers let through; 1: the document has changed. */
MUST_USE int routes_auto_approve(struct tailnet *c, struct coord_node *n, struct now now);
void routes_watch(struct tailnet *c); /* who has to be watched, now that routers changed */
void router_leaves(struct coord_node *n);

/* Is it, or a part of it, of the organisation's own? Is it approved for the device? */
bool route_is_own(const struct tailnet *c, struct ipprefix prefix);
bool route_is_approved(const struct coord_node *n, struct ipprefix prefix);

/* pending.c: logins that wait */
struct pending *pending_by_code(const struct tailnet *c, const char *code);
struct pending *pending_by_asker(
	const struct tailnet *c, const struct machine_pub *m, const struct node_pub *key);
struct pending *pending_ask(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, struct arena mem, struct ipport from,
	struct now now);
void pending_free(struct tailnet *c, struct pending *p);
MUST_USE int pendings_start(struct tailnet *c);
void pendings_end(struct tailnet *c);
void pendings_sweep(struct tailnet *c); /* those that a ledger has pushed out go */
void pendings_tick(struct tailnet *c, struct now now);
mono_ns pendings_deadline(const struct tailnet *c);

/* grant.c: what an approval gives. -ERR_BAD_VALUE: no such user; -ENOMEM. */
MUST_USE int grant_of_login(struct tailnet *c, const struct pending *p, int64_t user,
	struct now now, struct arena *mem, struct coord_grant *ret);
MUST_USE int grant_of_node(
	struct tailnet *c, const struct coord_node *n, struct arena *mem, struct coord_grant *ret);
/* Does the request ask for what the login waits for? */
bool pending_is_for(
	struct tailnet *c, const struct pending *p, const struct tc_register_request *req);

/* versions.c */
/* Reads and compiles a text; the plan is the caller's. */
MUST_USE int plan_compile(
	struct tailnet *c, struct view text, struct policy_plan **ret, struct err_at *at);
MUST_USE int version_load(struct tailnet *c, const struct coord_policy_doc *doc);
void versions_free(struct tailnet *c);

/*
 * Text of a message, and between it pieces that others share. What fails is kept in rc, and nothing is put any more.
 * drafts.c
 */
struct draft {
	struct coord_poll *p;
	struct buf text;
	int rc;
};
void draft_begin(struct draft *d, struct coord_poll *p);
void draft_put(struct draft *d, const char *fmt, ...) PRINTF_LIKE(2, 3);
void draft_shared(struct draft *d, struct piece *q); /* borrowed */
MUST_USE int draft_end(struct draft *d);             /* the message is complete, or rc */
void draft_drop(struct draft *d);                    /* there was nothing to tell */
void draft_policies(
	struct draft *d, bool all); /* filter and ssh rules: all, or what is stale and another */
void draft_self(struct draft *d, const char *before,
	bool all); /* its own document: always, or if it is another */
void draft_head(struct draft *d,
	struct now now);              /* of a whole map, up to where the lists of peers are put */
void draft_all_gone(struct draft *d); /* it sees nobody any more */
void filter_parts_clear(struct tailnet *c);

/* views.c: readers that are not plain */
void retell(struct coord_poll *p, int64_t id, bool whole);
void retell_clear(struct coord_poll *p);
void poll_review(struct coord_poll *p); /* is it plain? */
void poll_set_plain(struct coord_poll *p, bool plain);
void spread_changes(struct tailnet *c);
size_t own_peers(
	struct draft *d); /* the list of all that it sees, and their users: how many peers */
MUST_USE int own_delta(struct coord_poll *p, struct now now);

/* world.c */
void note_removed(struct tailnet *c, struct coord_node *n);
struct coord_node *coord_node_by_key(struct tailnet *c, const struct node_pub *key);
struct coord_node *coord_node_by_id(const struct tailnet *c, int64_t id);
struct coord_node *coord_node_of_machine(
	struct tailnet *c, const struct machine_pub *m, int64_t user, bool tagged);
MUST_USE int coord_node_create(struct tailnet *c, const struct coord_node_doc *doc,
	const char *wanted_name, struct now now, struct coord_node **ret);
void coord_node_remove(struct tailnet *c, struct coord_node *n, struct now now);
/* Replaces the document: doc may point into anything, all is copied. whole: a patch cannot tell it. */
MUST_USE int coord_node_update(struct tailnet *c, struct coord_node *n,
	const struct coord_node_doc *doc, bool whole, bool durable, struct now now);
enum telling { TELLS_NOBODY, TELLS_PATCH, TELLS_WHOLE };
/* The same, and what its peers are told of it. */
MUST_USE int coord_node_tell(struct tailnet *c, struct coord_node *n,
	const struct coord_node_doc *doc, enum telling what, bool durable, struct now now);
void coord_node_touch(struct tailnet *c, struct coord_node *n, bool whole, struct now now);
bool tags_are_known(const struct tailnet *c, const struct json_list *tags);
MUST_USE int store_doc(struct tailnet *c, enum coord_kind kind, int64_t id,
	const struct json_type *t, const void *doc);
/*
 * Saves what a device says of itself, and when it was seen. It says it again whenever it connects, so that others may hear of it
 * before it is durable: a standby router takes over also while the disk is slow.
 */
MUST_USE int note_node(struct tailnet *c, struct coord_node *n);
MUST_USE int doc_copy(const struct json_type *t, const void *from, void *to, struct arena *mem);
void store_delete(struct tailnet *c, enum coord_kind kind, int64_t id);

/* expiry.c: keys that have expired */
bool coord_node_is_expired(const struct coord_node *n, unix_ms wall);
/* What its document and the clock say of its key is told, if that is another thing now. */
void expiry_follow(struct tailnet *c, struct coord_node *n, struct now now);
/* By its key, for a request of its own: that the key has expired just now is seen here, whatever the timer does. */
struct coord_node *coord_node_that_asks(
	struct tailnet *c, const struct node_pub *key, struct now now);
MUST_USE int expiry_watch(struct tailnet *c, struct coord_node *n,
	struct now now); /* the end of its key may be another */
void expiry_tick(struct tailnet *c, struct now now);
void key_is_out(const struct tailnet *c, const struct node_pub *key);

/* former.c: keys that devices had before. Who registers with one is told that it has expired, and must bring a fresh one. */
struct coord_node *coord_node_of_former(const struct tailnet *c, const struct node_pub *key);
/* The device's document is about to have another key: adds the one that it has. doc points to mem then. */
void former_add(const struct coord_node *n, struct coord_node_doc *doc,
	struct node_pub mem[static COORD_FORMER_KEYS_MAX]);
MUST_USE int former_refresh(
	struct tailnet *c, struct coord_node *n); /* its document names others now. -ENOMEM */
void former_free(struct tailnet *c, struct coord_node *n);

/* names.c */
/* One that no device has, made of the wanted one. */
void name_free(const struct tailnet *c, const char *wanted, char out[static NODE_NAME_MAX + 1]);
/* doc is about to become n's: its name, too, if it calls itself something else. -ENOMEM. */
MUST_USE int name_follow(struct tailnet *c, struct coord_node *n, struct coord_node_doc *doc);
/* Of a document that is older than name_pinned: a name that was not made of its host name was given by somebody. */
void name_judge_old(struct coord_node_doc *doc);

/* relogin.c */
/* The device that a login makes come back, or NULL: a new one. */
struct coord_node *coord_node_of_login(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, int64_t user, bool tagged, unix_ms wall);

/* told.c: what others are told of what a device says */
MUST_USE int told_hostinfo(struct tailnet *c, struct tc_hostinfo *h,
	struct arena *a); /* made fit, and counted. -ENOMEM */
void told_endpoints(struct tailnet *c, struct json_list *endpoints);
/* Of a document that was loaded. 1: it is another one than is stored. -ENOMEM. */
MUST_USE int told_stored(struct tailnet *c, struct coord_node_doc *d, struct arena *a);
/* The document of a peer was put into out from `from` on, with rc: what cannot be read is replaced by a bare one. */
MUST_USE int told_check(struct tailnet *c, struct coord_node *n, int rc, size_t from,
	struct arena *a, struct buf *out);

/* say.c: what a device says is told at once or when its time has come */
/* What a map request says; it may be changed. -EAGAIN: the store is full; -ENOMEM. */
MUST_USE int say(struct tailnet *c, struct coord_node *n, struct tc_map_request *r,
	struct arena *mem, struct now now);
void say_merge(const struct coord_node *n,
	struct coord_node_doc
		*doc); /* what waits goes into the document; borrowed from what waits */
void say_forget(struct coord_node *n); /* nothing waits any more */
bool say_arrives(struct tailnet *c, struct coord_node *n,
	struct now now); /* may it count as here? Else when its time has come */
void say_tick(struct tailnet *c, struct now now);

/* pace.c */
/* How long a change has to wait of which each reader is told so many bytes; 0: it may be. */
mono_ns pace_wait(const struct tailnet *c, const struct coord_node *n, size_t bytes, mono_ns now);
void pace_pay(const struct tailnet *c, struct coord_node *n, size_t bytes, mono_ns now);
/* A registration that changes the device: is it one too many? Then it was answered; else it is paid. */
MUST_USE bool pace_refuses(struct tailnet *c, struct coord_node *n, void *owner, struct now now);

/* settings.c */
/* Leaves out of h what this hub does not take of the device, and notes the reason. -ENOMEM. */
MUST_USE int settings_take(
	struct tailnet *c, struct coord_node *n, struct tc_hostinfo *h, struct now now);
/* It asks for tags, and has none at all. Others that an administrator gave instead are his decision. */
bool settings_lacks_tags(const struct coord_node_doc *doc);
/* Of a device that is not in yet: all of it has to be good. */
MUST_USE int settings_check(const struct tc_hostinfo *h, struct err_at *why);
void tell_refusal(const struct tailnet *c, const char *what, const char *name, const char *why);

/* codes.c */
void code_new(struct rng *r, char out[static CODE_TEXT_MAX]);
/* The letters, large and without what groups them: how many; 0: it is no code, nor the beginning of one. */
size_t code_plain(const char *text, char out[static CODE_LETTERS + 1]);

/* accounts.c */
MUST_USE int user_insert(struct tailnet *c, const struct coord_user *doc, struct user **ret);
void user_free(struct tailnet *c, struct user *u);
MUST_USE int authkey_insert(struct tailnet *c, const struct coord_key *doc, struct authkey **ret);
struct user *user_by_id(const struct tailnet *c, int64_t id);
struct authkey *authkey_by_text(struct tailnet *c, const char *text);
MUST_USE int authkey_use(struct tailnet *c, struct authkey *k);
void authkey_free(struct tailnet *c, struct authkey *k);

/* pieces.c */
struct piece *piece_of(struct tailnet *c, const void *p, size_t n); /* compresses; one reference */
struct piece *piece_raw(const void *p, size_t n);                   /* as it is */
/* Whole messages, their length in front. */
struct piece *piece_framed(struct tailnet *c, struct view text);
struct piece *piece_framed_raw(struct view text); /* for who does not read zstd */
MUST_USE int piece_text(
	struct view packed, struct buf *out); /* what pieces, one after another, were made of */
struct piece *piece_get(struct piece *p);
struct piece *piece_put(struct piece *p);
struct piece *coord_node_whole(struct tailnet *c, struct coord_node *n); /* borrowed */
struct piece *coord_node_patch(struct tailnet *c, struct coord_node *n); /* borrowed */
/* viewer: who is told; n itself, or NULL for what all may know. */
MUST_USE int put_node(struct tailnet *c, struct coord_node *n, const struct coord_node *viewer,
	struct arena *a, struct buf *out);
MUST_USE int put_patch(const struct coord_node *n, struct buf *out);
struct tc_user profile_of(const struct tailnet *c, int64_t user);
struct piece *block_whole(struct tailnet *c, struct block *b); /* borrowed */
MUST_USE int put_profiles(struct tailnet *c, struct buf *b);
MUST_USE int block_join(struct tailnet *c, struct coord_node *n);
void block_leave(struct tailnet *c, struct coord_node *n);

/* register.c */
void tell_with_key(const struct tailnet *c, const char *what, const struct coord_node *n,
	const struct coord_key *key);
static inline void tell(const struct tailnet *c, const char *what, const struct coord_node *n)
{
	tell_with_key(c, what, n, NULL);
}
void answer_later(
	struct tailnet *c, void *owner, int status, const struct json_type *t, const void *doc);
void answer_success(struct tailnet *c, void *owner, const struct coord_node *n);
void answer_error(
	struct tailnet *c, void *owner, const struct tc_register_request *req, const char *text);
void answer_expired(
	struct tailnet *c, void *owner); /* the client makes a fresh key and asks with that */
void pending_end(
	struct tailnet *c, struct pending *p, const char *why); /* who waits for it is told */
const struct json_list *wanted_tags(const struct tc_register_request *req);
/* May devices of this user, or this one, have the tags? Without a policy nobody has said who may not. */
bool may_have_tags(
	struct tailnet *c, const struct json_list *tags, int64_t user, const struct coord_node *n);
/* How somebody lets a device in. */
struct admission {
	int64_t user;
	const struct json_list *tags; /* NULL or empty: a person's device */
	bool ephemeral, approved;
	const struct coord_key *key; /* NULL: a login */
};
/* A device with this identity: the same record if it was here before, else a new one. */
MUST_USE int admit(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, const struct admission *how, struct now now,
	struct coord_node **ret);

void shed_init(struct shed *s, const uint8_t seed[static 16]); /* shed.c */
/* Is it one too many? Then it was answered. */
MUST_USE bool shed(struct tailnet *c, struct shed *s, void *owner, struct now now);
/* presence.c: who is online */
void coord_node_arrives(struct tailnet *c, struct coord_node *n,
	struct now now); /* it registered and is about to listen */
void presence_begin(struct tailnet *c, struct coord_node *n, struct now now); /* it listens */
void presence_pause(struct tailnet *c, struct coord_node *n,
	struct now now); /* its last stream ended: it may be back at once */
/* Whether it is online is worked out again. True: that has changed, and is noted for its peers, but not with the policy. */
bool presence_review(struct tailnet *c, struct coord_node *n, struct now now);
void presence_tick(struct tailnet *c, struct now now);
mono_ns presence_deadline(const struct tailnet *c);

/* clones.c: several processes with one identity */
uint64_t clone_process(const struct tc_map_request *r); /* which process asks; 0: it does not say */
bool coord_node_is_duplicate(const struct coord_node *n);
/* May what it says of the device count? Not while another process has the stream of a device that runs twice. */
bool clone_may_speak(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now);
/* A process asks for the stream. How long it has to wait; 0: it gets it now. */
mono_ns clone_arrives(struct tailnet *c, struct coord_node *n, uint64_t process, struct now now);
/* Waits from now on, its request is copied. -ERR_TOO_MANY, -ENOMEM. */
MUST_USE int clone_wait(struct coord_poll *p, struct view request, mono_ns until);
void clone_forget(struct coord_poll *p); /* it waits no longer */
void clone_next(struct coord_node *n); /* a stream ended: who waits may have it at the next tick */
void rivals_free(struct tailnet *c, struct coord_node *n);
void clones_tick(struct tailnet *c, struct now now);
mono_ns clones_deadline(const struct tailnet *c);

/* once.c */
/* 1: refused. */
MUST_USE int once_begin(struct tailnet *c, const struct tc_map_request *r, struct coord_node *n,
	void *owner, struct coord_poll **ret);
void once_end(const struct coord_poll *p);

/* polls.c */
void health_changes(struct tailnet *c, struct coord_node *n,
	struct now now); /* its reader is told what is wrong now */
void poll_take_over(struct coord_poll *p, struct now now); /* its turn has come */
void polls_flush(struct tailnet *c, struct now now);
void poll_end(struct coord_poll *p);
void poll_free(struct coord_poll *p);       /* its device notices nothing */
void poll_begin_anew(struct coord_poll *p); /* a whole map in this turn */
void poll_watch(struct coord_poll *p);
struct coord_poll *poll_new(
	struct tailnet *c, const struct tc_map_request *r, struct coord_node *n, void *owner);
int poll_refuse(struct tailnet *c, void *owner, int status, const char *text); /* answers; 1 */

/* A message in the making. message_add takes over the reference; a missing piece (no memory) ends the poll: the client comes again. */
MUST_USE int message_add(struct coord_poll *p, struct piece *q);
MUST_USE int message_finish(struct coord_poll *p); /* puts the length in front */
void message_ready(
	struct coord_poll *p); /* it is whole: it goes out when all is durable that it may tell */
/* farewell.c: tells the reader that its own device is gone, so that it asks for a login and not for a map for ever. */
void poll_farewell(struct coord_poll *p, struct now now);

enum { TAGGED_USER = 2147455555 }; /* owner of tagged devices, as headscale has it */

#endif
