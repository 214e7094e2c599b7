/* core/policy/compile/plan: a document compiled against users and nodes. policy.h says what it is for; what is only asked for, and not
 * kept up with each change, is made in answer/. */
#ifndef WARREN_CORE_POLICY_COMPILE_PLAN_H
#define WARREN_CORE_POLICY_COMPILE_PLAN_H

#include "base/map/map.h"
#include "core/policy/lang/doc.h"
#include "core/policy/sets/ranges.h"
#include "core/policy/sets/u32s.h"

#define NONE UINT32_MAX

/* ---- users and nodes ---- */

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

struct policy_directory {
	uint8_t seed[16];
	char **domains;
	size_t n_domains;
	struct map users, nodes, addrs;
	struct user_rec **user_at; /* by slot; NULL: free */
	struct node_rec **node_at;
	uint32_t n_user_slots, n_node_slots;
	size_t cap_user_slots, cap_node_slots;
	struct u32s free_users, free_nodes;
	struct policy_plan *plan;
	uint64_t next_text_id;
};

struct node_rec *directory_node(const struct policy_directory *w, int64_t id);
struct node_rec *directory_node_at(const struct policy_directory *w, struct ipaddr ip);
struct user_rec *directory_user(const struct policy_directory *w, int64_t id);
bool node_rec_is_exit(const struct node_rec *n);

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
	struct u32s sets;   /* that contain it */
	uint32_t bound;     /* the slot of the user that a user atom means */
	bool by_provider;
};

/* In which role a set of addresses is asked about. */
enum mode { MODE_SRC, MODE_DST, MODE_CAP, N_MODES };

/* A list of selectors, as an address set. Equal lists are one. */
struct addr_set {
	struct map_node node;
	uint32_t id;
	struct u32s atoms;    /* as written */
	struct u32s terms;    /* of each atom: which selector of the list it came from */
	struct u32s postures; /* one must hold; none: no condition */
	bool star, danger, internet;
	bool covers_internet;   /* has all of the internet's addresses */
	bool meets_internet;    /* has some of them */
	struct ranges literals; /* its addresses that do not depend on nodes; not of a star */
	uint32_t side[N_MODES]; /* NONE: not used so */
	struct u32s classes;    /* with an address in it */
	struct u32s ssh_rules;  /* that have it as src */
	char *text;             /* SrcIPs as JSON; made when asked for */
	size_t text_len;
	uint64_t text_id;            /* 0: stale */
	bool text_empty;             /* nobody */
	uint32_t mark, marked_slice; /* while slices are put together */
};

/* One side of rules: a set in a role. */
struct side {
	uint32_t set;
	enum mode mode;
	bool all; /* every node, whatever it is */
	uint32_t mark;
	struct u32s rules;
	struct u32s counter; /* the sides opposite, in these rules */
	struct u32s extra;   /* classes that it meets through their routes, not their addresses */
};

enum rule_kind { RULE_PORT, RULE_CAP, RULE_SELF_PORT, RULE_SELF_CAP, RULE_VIA };

struct rule {
	enum rule_kind kind;
	uint32_t src, dst; /* sets; dst is NONE for autogroup:self */
	uint32_t src_side, dst_side;
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
struct rule_slice {
	uint32_t rule;
	uint32_t next; /* the next slice that goes into the same rule on the wire; NONE */
	bool follows;  /* it is the next of another */
	char *fixed;   /* JSON of DstPorts that are the same for all its nodes, without brackets; or
			  of one CapGrant's Dsts */
	struct ports self_ports; /* at the node's own addresses */
	bool self4, self6;       /* CapGrant: which of its addresses */
};

struct node_class {
	struct map_node node; /* by key */
	uint32_t id;
	uint8_t *key;
	size_t key_len;
	struct u32s atoms;       /* sorted */
	struct ipprefix *routes; /* subnets, sorted */
	size_t n_routes;
	bool exit, tagged;
	bool self_src;              /* some autogroup:self rule has it as a source */
	struct u32s sets, sets_pos; /* that it is in, and its place in their lists; sorted by set */
	struct u32s extra, extra_pos; /* sides likewise */
	struct u32s sides;            /* all sides that it meets, sorted */
	struct u32s sees;             /* all sides opposite to those, sorted; once
			     has_sees */
	bool has_sees, has_slices;
	struct rule_slice *slices; /* in the order of the rules; once has_slices */
	size_t n_slices;
	struct u32s vias;  /* rules with via that this class carries out */
	struct u32s nodes; /* slots */
	unsigned touched;  /* what is not told yet */
	uint32_t mark;
};

struct ssh_compiled {
	const struct ssh_rule *doc;
	uint32_t src, dst; /* sets; dst without autogroup:self; NONE when nothing is left */
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
	struct u32s sides; /* sides that it overlaps, sorted: with these the rules say who may use
			    it */
	uint32_t primary;  /* slot, NONE */
};

struct user_plan {
	struct u32s atoms; /* true of its untagged nodes, if some selector asks; sorted */
	struct u32s bound; /* user atoms that mean it */
};

struct policy_plan {
	struct policy_directory *directory;
	struct policy_doc *doc;
	struct arena mem; /* what lives as long as the plan and does not grow with changes */
	struct map atom_by_key, set_by_key, class_by_key, route_by_prefix,
		names; /* names: hosts and ipsets of doc */
	struct atom **atoms;
	struct addr_set **sets;
	struct side **sides;
	struct rule *rules;
	struct node_class **classes; /* by id; NULL: free */
	uint32_t n_atoms, n_sets, n_sides, n_rules, n_classes;
	size_t cap_atoms, cap_sets, cap_sides, cap_rules, cap_classes;
	struct u32s free_classes, dying; /* empty ones go at the next drain */
	struct user_plan *user_plans;    /* by user slot */
	uint32_t n_user_plans;
	uint32_t *class_of, *pos_in_class; /* by node slot */
	uint32_t n_class_of;
	uint64_t bits4, bits6[3];    /* lengths that prefix atoms have: a bit each */
	struct u32s sorted_prefixes; /* prefix atoms by address */
	struct u32s no_ip4_sets;     /* targets of disable-ipv4 */
	struct u32s subdomain_sets;  /* targets of dns-subdomain-resolve */
	struct u32s
		exit_sides; /* destinations that are, or hold, something of the internet; sorted */
	struct u32s star_sets, internet_sets, all_sides, posture_atoms, self_rules, via_rules,
		router_classes;
	struct ssh_compiled *ssh;
	struct attr_compiled *attrs;
	struct ranges internet, star; /* fixed sets */
	struct touch *touches;
	size_t n_touches, cap_touches;
	struct u32s touched_classes;
	struct u32s orphans; /* slots of routers with a route that has no primary for now */
	bool all_touched;
	uint32_t mark, side_mark; /* of classes, of sides: the walk that last met one */
	struct u32s scratch;
	bool failed; /* memory ran out in the middle of a change: everything is to be asked again */
};

/* What a name of hosts or ipsets stands for. */
struct named_thing {
	struct map_node node;
	const struct ipprefix *prefixes;
	size_t n;
};

/* The atom of this kind and text; NONE: the document has none. */
uint32_t plan_atom_find(const struct policy_plan *p, enum atom_kind kind, const char *text);
/* Does a selector that needs no address set (owners, approvers) mean this user, this node? */
bool plan_term_means_user(
	const struct policy_plan *p, const struct term *t, const struct user_rec *u);
bool plan_term_means_node(
	const struct policy_plan *p, const struct term *t, const struct node_rec *n);

struct node_class *plan_class(const struct policy_plan *p, const struct node_rec *n);
bool node_class_in_set(const struct node_class *c, uint32_t set);
bool node_class_routes_meet(const struct node_class *c, struct ipprefix x);
void node_class_slices_free(struct node_class *c);
MUST_USE int node_class_sees(struct policy_plan *p, struct node_class *c); /* fills c->sees */
struct route *route_find(const struct policy_plan *p, struct ipprefix prefix);

#endif
