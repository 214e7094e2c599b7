/* core/policy/plan: what the files of the compiler share. policy.h says what it is for. */
#ifndef WARREN_CORE_POLICY_PLAN_H
#define WARREN_CORE_POLICY_PLAN_H

#include "base/map/map.h"
#include "core/policy/doc.h"
#include "core/policy/ranges.h"

#define NONE UINT32_MAX

struct u32s {
	uint32_t *v;
	uint32_t n, cap;
};

MUST_USE int u32s_push(struct u32s *s, uint32_t x);
void u32s_fini(struct u32s *s);
void u32s_sort(struct u32s *s);                  /* ascending, doubles gone */
bool u32s_has(const struct u32s *s, uint32_t x); /* in a sorted one */
bool u32s_meet(
	const struct u32s *a, const struct u32s *b); /* two sorted ones: anything in common? */

/* ---- the world ---- */

struct user_rec {
	struct map_node by_id;
	int64_t id;
	uint32_t slot;
	bool known; /* false: a node named it, nobody told us who it is */
	char *login, *name, *provider_id;
	enum policy_role role;
	struct u32s nodes; /* slots of its untagged nodes */
};

struct node_rec {
	struct map_node by_id, by_ip4, by_ip6;
	int64_t id;
	uint32_t slot;
	struct user_rec *user; /* NULL when tagged */
	uint32_t pos_in_user;
	struct ipaddr ip4, ip6;
	bool has_map4, has_map6, offline, unhealthy;
	const char **tags; /* sorted, doubles gone */
	size_t n_tags, n_routes, n_attrs;
	struct ipprefix *routes; /* sorted: subnets first, then default routes */
	size_t n_subnets;
	struct policy_attr *attrs;
	void *mem; /* of the texts and lists above */
	size_t mem_len;
};

/* One thing to tell: to a node, or (node 0) to all nodes of a class, or (class NONE) to everybody.
 */
struct touch {
	int64_t node, peer;
	uint32_t class_id;
	unsigned what;
};

struct policy_world {
	uint8_t seed[16];
	char **domains;
	size_t n_domains;
	struct map users, nodes, addrs;
	struct user_rec **user_at; /* by slot; NULL: free */
	struct node_rec **node_at;
	uint32_t n_user_slots, cap_user_slots, n_node_slots, cap_node_slots;
	struct u32s free_users, free_nodes;
	struct policy_plan *plan;
	uint64_t next_text_id;
};

/* A free place in an array of pointers that grows; the caller fills it. */
MUST_USE int world_take_slot(
	void ***at, uint32_t *n, uint32_t *cap, struct u32s *free_slots, uint32_t *ret);
MUST_USE int world_user_create(struct policy_world *w, int64_t id,
	struct user_rec **ret); /* one that nobody told us of yet */
void world_node_free(struct node_rec *n);
struct node_rec *world_node(const struct policy_world *w, int64_t id);
struct node_rec *world_node_at(const struct policy_world *w, struct ipaddr ip);
struct user_rec *world_user(const struct policy_world *w, int64_t id);
bool node_is_exit(const struct node_rec *n);

/* ---- the plan ---- */

/* Atoms are what selectors are made of: each is true of a node or not. These are always there. */
enum {
	ATOM_STAR4, /* its IPv4 address is one of the tailnet's range */
	ATOM_STAR6,
	ATOM_MEMBER, /* no tags */
	ATOM_TAGGED,
	ATOM_ALL,
	ATOM_INTERNET, /* true of no node: a destination */
	ATOM_SELF,
	ATOM_NEVER,
	N_FIXED_ATOMS,
};

enum atom_kind {
	ATOM_FIXED,
	ATOM_USER,
	ATOM_GROUP,
	ATOM_TAG,
	ATOM_ROLE,
	ATOM_DOMAIN,
	ATOM_PREFIX,
	ATOM_POSTURE
};

struct atom {
	struct map_node node;
	uint32_t id;
	enum atom_kind kind;
	const char *text;
	struct ipprefix prefix;
	const struct posture *posture;
	struct place at;
	struct u32s groups; /* of a user: the groups that list it */
	struct u32s sels;   /* that contain it */
	uint32_t bound;     /* the slot of the user that a user atom means */
	bool by_provider;
};

/* In which role a set of addresses is asked about. */
enum mode { MODE_SRC, MODE_DST, MODE_CAP, N_MODES };

/* A list of selectors, as an address set. Equal lists are one. */
struct sel {
	struct map_node node;
	uint32_t id;
	struct u32s atoms;    /* as written */
	struct u32s terms;    /* of each atom: which selector of the list it came from */
	struct u32s postures; /* one must hold; none: no condition */
	bool star, danger, internet;
	bool covers_internet;   /* has all of the internet's addresses */
	bool meets_internet;    /* has some of them */
	struct ranges literals; /* its addresses that do not depend on nodes; not of a star */
	uint32_t ep[N_MODES];   /* NONE: not used so */
	struct u32s own;        /* classes with an address in it */
	struct u32s ssh_rules;  /* that have it as src */
	char *text;             /* SrcIPs as JSON; made when asked for */
	size_t text_len;
	uint64_t text_id;           /* 0: stale */
	bool text_empty;            /* nobody */
	uint32_t mark, marked_part; /* while parts are put together */
};

/* One side of rules: a set in a role. */
struct endpoint {
	uint32_t sel;
	enum mode mode;
	bool all; /* every node, whatever it is */
	uint32_t mark;
	struct u32s rules;
	struct u32s counter; /* the endpoints at the other side of these rules */
	struct u32s extra;   /* classes that it meets through their routes, not their addresses */
};

enum rule_kind { RULE_PORT, RULE_CAP, RULE_SELF_PORT, RULE_SELF_CAP, RULE_VIA };

struct rule {
	enum rule_kind kind;
	uint32_t src, dst; /* sels; dst is NONE for autogroup:self */
	uint32_t src_ep, dst_ep;
	int proto;
	struct ports ports;
	const char *cap_map;        /* JSON object */
	const struct app_caps *app; /* what it was made of, or */
	const char *companion;      /* the name of what the other side gets */
	bool reversed;              /* a companion of autogroup:self */
	bool silent;                /* makes peers, allows nothing */
	struct u32s via;            /* tag atoms */
	bool grant;
	size_t index;
	unsigned line;
};

/* What a class has of one rule: the rule's src, and of its destinations what concerns the class. */
struct part {
	uint32_t rule;
	uint32_t next; /* the next part that goes into the same rule on the wire; NONE */
	bool follows;  /* it is the next of another */
	char *fixed;   /* JSON of DstPorts that are the same for all its nodes, without brackets; or
			  of one CapGrant's Dsts */
	struct ports own; /* ports at the node's own addresses */
	bool own4, own6;  /* CapGrant: which of its addresses */
};

struct class
{
	struct map_node node; /* by key */
	uint32_t id;
	uint8_t *key;
	size_t key_len;
	struct u32s atoms;       /* sorted */
	struct ipprefix *routes; /* subnets, sorted */
	size_t n_routes;
	bool exit, tagged;
	bool self_src;                /* some autogroup:self rule has it as a source */
	struct u32s own, own_pos;     /* sels, and the place in their list; sorted by sel */
	struct u32s extra, extra_pos; /* endpoints likewise */
	struct u32s eps;              /* all endpoints that it meets, sorted */
	struct u32s sees; /* all endpoints at the other side of rules with those, sorted; once
			     has_sees */
	bool has_sees, has_parts;
	struct part *parts; /* in the order of the rules; once has_parts */
	size_t n_parts;
	struct u32s vias;  /* rules with via that this class carries out */
	struct u32s nodes; /* slots */
	unsigned touched;  /* what is not told yet */
	uint32_t mark;
};

struct ssh_compiled {
	const struct ssh_rule *doc;
	uint32_t src, dst; /* sels; dst without autogroup:self; NONE when nothing is left */
	bool self;
	const char *users; /* JSON of sshUsers without localparts */
	bool has_localpart;
	char *principals; /* JSON of all sources; NULL: stale */
};

struct attr_compiled {
	const struct node_attr *doc;
	uint32_t target;
};

/* An approved subnet route of the tailnet. */
struct route {
	struct map_node node;
	struct ipprefix prefix;
	struct u32s nodes; /* slots of the routers */
	struct u32s eps; /* endpoints that it overlaps, sorted: with these the rules say who may use
			    it */
	uint32_t primary; /* slot, NONE */
};

struct user_plan {
	struct u32s atoms; /* true of its untagged nodes, if some selector asks; sorted */
	struct u32s bound; /* user atoms that mean it */
};

struct policy_plan {
	struct policy_world *world;
	struct policy_doc *doc;
	struct arena mem; /* what lives as long as the plan and does not grow with changes */
	struct map atom_by_key, sel_by_key, class_by_key, route_by_prefix,
		names; /* names: hosts and ipsets of doc */
	struct atom **atoms;
	struct sel **sels;
	struct endpoint **eps;
	struct rule *rules;
	struct class **classes; /* by id; NULL: free */
	uint32_t n_atoms, cap_atoms, n_sels, cap_sels, n_eps, cap_eps, n_rules, cap_rules,
		n_classes, cap_classes;
	struct u32s free_classes, dying; /* empty ones go at the next drain */
	struct user_plan *user_plans;    /* by user slot */
	uint32_t n_user_plans;
	uint32_t *class_of, *pos_in_class; /* by node slot */
	uint32_t n_class_of;
	uint64_t bits4, bits6[3];    /* lengths that prefix atoms have: a bit each */
	struct u32s sorted_prefixes; /* prefix atoms by address */
	struct u32s no_ip4_sels;     /* targets of disable-ipv4 */
	struct u32s subdomain_sels;  /* targets of dns-subdomain-resolve */
	struct u32s
		exit_eps; /* destinations that are, or hold, something of the internet; sorted */
	struct u32s star_sels, internet_sels, all_eps, posture_atoms, self_rules, via_rules,
		router_classes;
	struct ssh_compiled *ssh;
	struct attr_compiled *attrs;
	struct ranges internet, star; /* fixed sets */
	struct touch *touches;
	size_t n_touches, cap_touches;
	struct u32s touched_classes;
	struct u32s orphans; /* slots of routers with a route that has no primary for now */
	bool all_touched;
	uint32_t mark, ep_mark; /* of classes, of endpoints: the walk that last met one */
	struct u32s scratch;
	bool failed; /* memory ran out in the middle of a change: everything is to be asked again */
};

/* What a name of hosts or ipsets stands for. */
struct named_thing {
	struct map_node node;
	const struct ipprefix *prefixes;
	size_t n;
};

/* build.c, sets.c, compile.c */
void sel_fini(struct sel *s);
MUST_USE int plan_grow(void ***v, uint32_t n, uint32_t *cap); /* room for one more */
MUST_USE int plan_check_world(struct policy_plan *p, enum policy_origin origin, struct err_at *at);
uint32_t plan_atom(
	struct policy_plan *p, enum atom_kind kind, const char *text); /* NONE: no memory */
uint32_t plan_atom_find(const struct policy_plan *p, enum atom_kind kind,
	const char *text); /* NONE: not in the document */
uint32_t plan_prefix_find(const struct policy_plan *p, struct ipprefix x);
uint32_t plan_sel(struct policy_plan *p, const struct term *terms, size_t n,
	const struct doc_texts *postures);
uint32_t plan_ep(struct policy_plan *p, uint32_t sel, enum mode mode);
MUST_USE int plan_compile_rules(struct policy_plan *p);
MUST_USE int plan_compile_rest(struct policy_plan *p);

/* atoms.c */
MUST_USE int plan_room_for_users(struct policy_plan *p);
MUST_USE int plan_user_atoms(struct policy_plan *p, const struct user_rec *u);
void plan_unbind_user(struct policy_plan *p, const struct user_rec *u);
/* All that is true of the node, sorted. */
MUST_USE int plan_node_atoms(struct policy_plan *p, const struct node_rec *n, struct u32s *out);
/* Does a selector that needs no address set (owners, approvers) mean this user, this node? */
bool term_means_user(const struct policy_plan *p, const struct term *t, const struct user_rec *u);
bool term_means_node(const struct policy_plan *p, const struct term *t, const struct node_rec *n);

/* classes.c */
/* Puts the node where it belongs now; *ret_moved: its class is another one. */
MUST_USE int plan_place(struct policy_plan *p, struct node_rec *n, bool *ret_moved);
void plan_unplace(struct policy_plan *p, struct node_rec *n);
struct class *plan_class(const struct policy_plan *p, const struct node_rec *n);
void class_free(struct class *c);
MUST_USE int plan_reap(struct policy_plan *p); /* empty classes */
bool class_owns(const struct class *c, uint32_t sel);
bool class_routes_meet(const struct class *c, struct ipprefix x);
/* Prefix atoms that hold the address, that meet the prefix. */
MUST_USE int plan_prefix_atoms(const struct policy_plan *p, struct ipaddr a, struct u32s *out);
MUST_USE int plan_overlaps(const struct policy_plan *p, struct ipprefix r, struct u32s *out);
/* Endpoints that a subnet route meets, sorted. */
MUST_USE int plan_route_eps(const struct policy_plan *p, struct ipprefix r, struct u32s *out);

/* changes.c: a change of the world, for the installed plan. */
MUST_USE int plan_node_changes(
	struct policy_plan *p, struct node_rec *n); /* it is about to be another */
MUST_USE int plan_node_changed(
	struct policy_plan *p, struct node_rec *n); /* it is another now, or new */
MUST_USE int plan_node_state(
	struct policy_plan *p, struct node_rec *n); /* attributes or health, not what it is */
MUST_USE int plan_node_goes(struct policy_plan *p, struct node_rec *n);
MUST_USE int plan_user_changed(struct policy_plan *p, struct user_rec *u);
/* Those that see the node are told of it. */
MUST_USE int plan_touch_peers(struct policy_plan *p, const struct node_rec *n, struct class *c);
MUST_USE int plan_touch_self(struct policy_plan *p, const struct node_rec *n, unsigned what);
MUST_USE int plan_touch_sources(struct policy_plan *p, struct sel *s); /* its text is another */

/* peers.c */
MUST_USE int class_sees(struct policy_plan *p, struct class *c);
/* The classes that c sees into out; 1: all of them. */
MUST_USE int class_peers(struct policy_plan *p, struct class *c, struct u32s *out);
bool classes_visible(struct policy_plan *p, struct class *a, struct class *b);
/* Calls fn for each class with an address or route in the endpoint. */
MUST_USE int ep_classes(struct policy_plan *p, uint32_t ep, struct u32s *out);

/* sources.c */
bool sel_holds_address(
	const struct policy_plan *p, const struct sel *s, const struct class *c, struct ipaddr a);
MUST_USE int sel_ranges(struct policy_plan *p, const struct sel *s, struct ranges *ret);
MUST_USE int sel_text(struct policy_plan *p, struct sel *s);
MUST_USE int ranges_text(const struct ranges *r, struct buf *out);
MUST_USE int self_sources(
	struct policy_plan *p, const struct user_rec *u, uint32_t sel, struct ranges *ret);

/* parts.c */
MUST_USE int class_parts(struct policy_plan *p, struct class *c);
void class_parts_free(struct class *c);

/* routes.c */
MUST_USE int routes_add(struct policy_plan *p, struct node_rec *n);
void routes_drop(struct policy_plan *p, struct node_rec *n);
struct route *route_find(const struct policy_plan *p, struct ipprefix prefix);
/* Elects anew for each route of n; those who see a router that won or lost are told. */
MUST_USE int routes_elect(struct policy_plan *p, struct node_rec *n);
MUST_USE int routes_elect_orphans(struct policy_plan *p); /* what lost its primary to routes_drop */
void routes_inherit(struct policy_plan *p, const struct policy_plan *from); /* who is primary */

#endif
