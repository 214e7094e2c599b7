/* What everything may take at most, and takes now: the sum of all bounds, for `warren-hub status --limits`. */
#include "hub/admin/internal.h"
#include "hub/policy_source/git.h"
#include "hub/web/packages.h"
#include "store/sqlite/sqlite.h"

#include <stdio.h>
#include <unistd.h>

enum { LIMITS_MAX = 32 };
#define NOT_KNOWN ((uint64_t)-1) /* what is taken now: nobody counts it */

struct limits {
	struct admin_limit v[LIMITS_MAX];
	size_t n;
	struct admin_limits doc;
};

static void add(struct limits *l, const char *of, const char *what, const char *counter,
	uint64_t now, uint64_t max, int64_t *sum)
{
	CHECK(l->n < LIMITS_MAX);
	l->v[l->n++] = (struct admin_limit){
		.of = of, .what = what, .counter = counter, .now = (int64_t)now, .max = (int64_t)max
	};
	if (sum)
		*sum += (int64_t)max;
}

static uint64_t threads(void)
{
	char line[128];
	unsigned long long n = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %llu", &n) == 1)
			break;
	if (f)
		fclose(f);
	return n ? n : NOT_KNOWN;
}

static uint64_t policy_bytes(const struct tailnet *c)
{
	const struct coord_policy_version *v = NULL;
	uint64_t sum = 0;

	while ((v = coord_policy_next(c, v)))
		sum += v->size;
	return sum;
}

/* What the process has in memory, of files that others have as well not counted. */
static uint64_t resident(void)
{
	unsigned long long pages = 0, shared = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*u %llu %llu", &pages, &shared) != 2)
		pages = shared = 0;
	if (f)
		fclose(f);
	return (uint64_t)(pages - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Parts of the memory. Nothing refuses a device because of it: its part is what the others leave. */
static void add_memory(struct hub *h, struct limits *l)
{
	const struct ledger_stats *n = ledger_stats(h->ledger);
	uint64_t packages = packages_bytes(h->packages), rest = budget_rest(&h->budget),
		 named = packages + STORE_PENDING_MAX + COORD_POLICY_KEEP_MAX;
	uint64_t charged = n->strangers.now.bytes + n->members.now.bytes + n->leaving.bytes +
			   packages,
		 all = resident();
	struct store_sqlite_state st;
	int64_t *sum = &l->doc.memory_sum;

	store_sqlite_state(h->store, &st);
	add(l, "memory", "connections and logins of strangers",
		"warren_hub_strangers_evicted_total", n->strangers.now.bytes,
		n->strangers.max.bytes, sum);
	add(l, "memory", "of those that gave way and have not closed",
		"warren_hub_strangers_refused_total", n->leaving.bytes, n->leaving_max.bytes, sum);
	add(l, "memory", "connections of members, API, administration",
		"warren_hub_members_evicted_total", n->members.now.bytes, n->members.max.bytes,
		sum);
	add(l, "memory", "packages handed out", "", packages, packages, sum);
	add(l, "memory", "changes that wait for the disk", "warren_hub_changes_refused_total",
		st.pending, STORE_PENDING_MAX, sum);
	add(l, "memory", "policies kept", "", policy_bytes(h->tailnet), COORD_POLICY_KEEP_MAX, sum);
	add(l, "memory", "what is left for devices, users, database, program", "",
		all > charged ? all - charged : 0, rest > named ? rest - named : 0, sum);
	add(l, "memory", "kernel: buffers of sockets", "", NOT_KNOWN, budget_kernel(&h->budget),
		sum);
	l->doc.memory_max = (int64_t)MAX_OF(h->budget.memory, BUDGET_MEMORY_MIN);
	l->doc.memory_from = h->budget.memory_from;
}

static void add_descriptors(struct hub *h, struct limits *l)
{
	const struct ledger_stats *n = ledger_stats(h->ledger);
	size_t kept = h->budget.files - n->strangers.max.conns - n->members.max.conns -
		      n->leaving_max.conns;
	int64_t *sum = &l->doc.descriptors_sum;

	add(l, "descriptors", "connections of strangers", "warren_hub_strangers_evicted_total",
		n->strangers.now.conns, n->strangers.max.conns, sum);
	add(l, "descriptors", "of those that gave way and have not closed",
		"warren_hub_strangers_refused_total", n->leaving.conns, n->leaving_max.conns, sum);
	add(l, "descriptors", "connections of members, API, administration",
		"warren_hub_members_evicted_total", n->members.now.conns, n->members.max.conns,
		sum);
	add(l, "descriptors", "listeners, files, git", "", NOT_KNOWN, kept, sum);
	l->doc.descriptors_max = (int64_t)h->budget.files;
}

static void add_tasks(struct hub *h, struct limits *l)
{
	int64_t *sum = &l->doc.tasks_sum;

	add(l, "tasks", "threads: the loop, the writer of the database, libraries'", "", threads(),
		HUB_THREADS, sum);
	add(l, "tasks", "git, and what it starts", "", NOT_KNOWN, h->git ? HUB_GIT_TASKS : 0, sum);
	l->doc.tasks_max = h->budget.tasks == UINT64_MAX ? 0 : (int64_t)h->budget.tasks;
}

/* Bounds of their own, whose memory is charged to the parts above. */
static void add_numbers(struct hub *h, struct limits *l)
{
	struct coord_stats s;

	coord_stats(h->tailnet, &s);
	add(l, "number", "devices", "warren_hub_registrations_refused_total", s.nodes,
		COORD_NODES_MAX, NULL);
	add(l, "number", "logins that wait", "warren_hub_pending_logins_evicted_total", s.pending,
		COORD_PENDING_BYTES_MAX / COORD_PENDING_SHARE, NULL);
	add(l, "number", "control connections", "warren_hub_control_bad_handshakes_total",
		h->n_sessions, HUB_SESSIONS_MAX, NULL);
	add(l, "number", "connections of pages and API", "warren_hub_http_refused_total",
		httpd_conns(h->web), HUB_CONNS_MAX, NULL);
	add(l, "number", "connections of the administration", "warren_hub_admin_bad_requests_total",
		httpd_conns(h->admin), HUB_ADMIN_CONNS_MAX, NULL);
	add(l, "number", "clients of the relay", "", derprelay_clients(relay_derp(h->relay)),
		HUB_RELAY_CLIENTS_MAX, NULL);
}

int admin_limits(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct limits l = { .n = 0 };

	add_memory(c->hub, &l);
	add_descriptors(c->hub, &l);
	add_tasks(c->hub, &l);
	add_numbers(c->hub, &l);
	l.doc.limits = json_list_of(l.v, l.n);
	return admin_reply(c, &admin_limits_type, &l.doc);
}
