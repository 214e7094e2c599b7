#include "daemon/state/profiles.h"

#include <errno.h>
#include <stdlib.h>

/* Names in the state file. The last two are ours; the others are tailscaled's. */
static const char machine_key[] = "_machinekey", current_key[] = "_current-profile",
		  list_key[] = "_profiles", legacy_key[] = "_daemon",
		  disco_key[] = "_warren-discokey";
static const char tailscale_control[] = "https://controlplane.tailscale.com";

enum { NAME_MAX_LEN = PROFILE_ID_MAX + 24 };

static char *prefs_name(const char *id, char out[static NAME_MAX_LEN])
{
	snprintf(out, NAME_MAX_LEN, "profile-%s", id);
	return out;
}

static char *hub_name(const char *id, char out[static NAME_MAX_LEN])
{
	snprintf(out, NAME_MAX_LEN, "_warren-hubkey/%s", id);
	return out;
}

/* ---- Keys of the machine ---- */

static int key_of(struct state *s, const char *name, struct rng *rng, uint8_t ret[static KEY_LEN])
{
	struct view v = state_get(s, name);
	char text[KEY_TEXT_MAX];
	int rc;

	if (v.len)
		return key_parse(KEY_PRIVATE, (const char *)v.p, v.len, ret);
	key_generate(rng, ret);
	key_format(KEY_PRIVATE, ret, text);
	rc = state_set(s, name, view_of(text, strlen(text)));
	key_wipe(text, sizeof(text));
	return rc;
}

int profile_machine_keys(struct state *s, struct rng *rng, struct node_identity *id)
{
	int rc = key_of(s, machine_key, rng, id->machine.b);

	return rc == 0 ? key_of(s, disco_key, rng, id->disco.b) : rc;
}

/* ---- Reading ---- */

static int init(struct state *s, struct rng *rng, struct profile *p)
{
	*p = (struct profile){ 0 };
	arena_init(&p->mem, PROFILE_MEM_MAX);
	ipn_prefs_init(&p->prefs);
	return profile_machine_keys(s, rng, &p->identity);
}

void profile_fini(struct profile *p)
{
	arena_fini(&p->mem);
	key_wipe(p, sizeof(*p));
}

int profile_fresh(struct state *s, struct rng *rng, struct profile *ret)
{
	int rc = init(s, rng, ret);

	if (rc < 0)
		profile_fini(ret);
	return rc;
}

/* Keys move from the document to where keys are. */
static void take_keys(struct profile *p)
{
	struct ipn_persist *c = p->prefs.persist;

	if (!c)
		return;
	p->identity.node = c->node_key;
	p->identity.old_node = c->old_node_key;
	memcpy(p->nl_key, c->nl_key, sizeof(p->nl_key));
	key_wipe(&c->node_key, sizeof(c->node_key));
	key_wipe(&c->old_node_key, sizeof(c->old_node_key));
	key_wipe(c->nl_key, sizeof(c->nl_key));
}

static int read_prefs(struct state *s, const char *name, struct profile *p)
{
	struct view doc = state_get(s, name), hub;
	char key[NAME_MAX_LEN];
	int rc;

	if (!doc.len)
		return -ENOENT;
	rc = json_decode(&ipn_prefs_type, doc.p, doc.len, &p->prefs, &p->mem, NULL);
	if (rc < 0)
		return rc;
	take_keys(p);
	/* A state that another daemon left: there, no URL means the service that it was made for. */
	if ((!p->prefs.control_url || !*p->prefs.control_url) && !key_is_zero(p->identity.node.b))
		p->prefs.control_url = tailscale_control;
	hub = state_get(s, hub_name(p->id, key));
	/* Only a cache: one that cannot be read is asked for again. */
	if (hub.len && key_parse(KEY_MACHINE, (const char *)hub.p, hub.len, p->identity.hub.b) < 0)
		memset(p->identity.hub.b, 0, sizeof(p->identity.hub.b));
	return 0;
}

bool profile_id_is_sound(const char *id)
{
	static const char allowed[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

	return *id && strlen(id) < PROFILE_ID_MAX && strspn(id, allowed) == strlen(id);
}

int profile_load(struct state *s, struct rng *rng, const char *id, struct profile *ret)
{
	char name[NAME_MAX_LEN];
	int rc;

	if (!profile_id_is_sound(id))
		return -ENOENT;
	rc = init(s, rng, ret);
	if (rc == 0) {
		snprintf(ret->id, sizeof(ret->id), "%s", id);
		rc = read_prefs(s, prefs_name(id, name), ret);
	}
	if (rc < 0)
		profile_fini(ret);
	return rc;
}

int profile_load_current(struct state *s, struct rng *rng, struct profile *ret)
{
	static const char prefix[] = "profile-";
	struct view v = state_get(s, current_key);
	char id[PROFILE_ID_MAX];
	int rc;

	if (v.len > sizeof(prefix) - 1 && !memcmp(v.p, prefix, sizeof(prefix) - 1) &&
		v.len - sizeof(prefix) + 1 < sizeof(id)) {
		snprintf(id, sizeof(id), "%.*s", (int)(v.len - sizeof(prefix) + 1),
			(const char *)v.p + sizeof(prefix) - 1);
		rc = profile_load(s, rng, id, ret);
		if (rc != -ENOENT)
			return rc;
	}
	rc = init(s, rng, ret);
	if (rc == 0) {
		/* From before there were profiles: gets its id when it is saved. */
		rc = read_prefs(s, legacy_key, ret);
		if (rc == -ENOENT)
			rc = 0;
	}
	if (rc < 0)
		profile_fini(ret);
	return rc;
}

/* ---- The list ---- */

static int read_list(const struct state *s, struct arena *a, struct json_map *ret)
{
	struct view v = state_get(s, list_key);

	*ret = (struct json_map){ .present = true };
	return v.len ? json_decode(&ipn_login_profile_map, v.p, v.len, ret, a, NULL) : 0;
}

int profile_list(const struct state *s, struct arena *a, struct json_list *ret)
{
	struct ipn_login_profile *v;
	struct json_map m;
	int rc = read_list(s, a, &m);

	if (rc < 0)
		return rc;
	v = arena_array(a, m.n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m.n; i++)
		v[i] = *(const struct ipn_login_profile *)m.v[i].value;
	*ret = json_list_of(v, m.n);
	return 0;
}

static int check_list(struct view text)
{
	struct json_map m;
	struct arena a;
	int rc;

	arena_init(&a, PROFILE_MEM_MAX);
	rc = json_decode(&ipn_login_profile_map, text.p, text.len, &m, &a, NULL);
	arena_fini(&a);
	return rc;
}

static int write_list(struct state *s, struct json_map *m)
{
	struct buf out;
	int rc;

	json_map_sort(m);
	buf_init(&out, PROFILE_TEXT_MAX);
	rc = json_encode(&ipn_login_profile_map, m, &out);
	if (rc == 0)
		rc = check_list(buf_view(&out));
	if (rc == 0)
		rc = state_set(s, list_key, buf_view(&out));
	buf_fini(&out);
	return rc;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* The same account of the same hub? */
static bool is_same(const struct ipn_login_profile *p, const struct ipn_prefs *prefs)
{
	return !strcmp(or_empty(p->control_url), or_empty(prefs->control_url)) &&
	       (p->user.id == prefs->persist->user.id ||
		       !strcmp(or_empty(p->node_id), or_empty(prefs->persist->node_id)));
}

static int choose_id(const struct json_map *m, struct rng *rng, const struct ipn_prefs *prefs,
	char id[static PROFILE_ID_MAX])
{
	for (size_t i = 0; i < m->n; i++)
		if (is_same(m->v[i].value, prefs) && profile_id_is_sound(m->v[i].key)) {
			snprintf(id, PROFILE_ID_MAX, "%s", m->v[i].key);
			return 0;
		}
	if (m->n >= PROFILES_MAX)
		return -ERR_TOO_MANY;
	for (;;) {
		bool taken = false;

		snprintf(id, PROFILE_ID_MAX, "%04x", (unsigned)(rng_u32(rng) & 0xffff));
		for (size_t i = 0; i < m->n; i++)
			taken |= !strcmp(m->v[i].key, id);
		if (!taken)
			return 0;
	}
}

static int list_entry(struct state *s, struct arena *a, struct json_map *m, const char *id,
	const struct profile_facts *f)
{
	const struct ipn_persist *c = f->prefs->persist;
	struct ipn_login_profile e = {
		.id = id,
		.name = f->prefs->profile_name && *f->prefs->profile_name ? f->prefs->profile_name
									  : c->user.login_name,
		.key = arena_printf(a, "profile-%s", id),
		.network = { .magic_dns_name = f->suffix,
			.domain_name = f->domain,
			.display_name = "" },
		.user = c->user,
		.node_id = c->node_id,
		.local_user_id = "",
		.control_url = or_empty(f->prefs->control_url),
		.created = f->now,
	};
	struct json_pair *v = arena_array(a, m->n + 1, sizeof(*v));

	if (!v || !e.key)
		return -ENOMEM;
	if (m->n)
		memcpy(v, m->v, m->n * sizeof(*v));
	m->v = v;
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(v[i].key, id)) {
			e.created = ((const struct ipn_login_profile *)v[i].value)->created;
			v[i].value = &e;
			return write_list(s, m);
		}
	v[m->n++] = (struct json_pair){ .key = id, .value = &e };
	return write_list(s, m);
}

/* ---- Writing ---- */

/* As read_prefs would find them. */
static int check_prefs(struct view text)
{
	struct ipn_prefs p = { 0 };
	struct arena a;
	int rc;

	arena_init(&a, PROFILE_MEM_MAX);
	rc = json_decode(&ipn_prefs_type, text.p, text.len, &p, &a, NULL);
	if (p.persist)
		key_wipe(p.persist, sizeof(*p.persist));
	arena_fini(&a);
	return rc;
}

static int write_prefs(struct state *s, const char *id, const struct profile_facts *f)
{
	struct ipn_prefs p = *f->prefs;
	struct ipn_persist c = *f->prefs->persist;
	char name[NAME_MAX_LEN];
	struct buf flat, out;
	int rc;

	c.node_key = f->identity->node;
	c.old_node_key = f->identity->old_node;
	memcpy(c.nl_key, f->nl_key, sizeof(c.nl_key));
	p.persist = &c;
	buf_init_secret(&flat, PROFILE_TEXT_MAX);
	buf_init_secret(&out, PROFILE_TEXT_MAX);
	rc = json_encode(&ipn_prefs_type, &p, &flat);
	if (rc == 0)
		rc = json_indent(buf_view(&flat), "", "\t", &out);
	if (rc == 0)
		rc = check_prefs(buf_view(&out));
	if (rc == 0)
		rc = state_set(s, prefs_name(id, name), buf_view(&out));
	buf_fini(&flat);
	buf_fini(&out);
	key_wipe(&c, sizeof(c));
	return rc;
}

static int write_hub_key(struct state *s, const char *id, const struct machine_pub *hub)
{
	char name[NAME_MAX_LEN], text[KEY_TEXT_MAX];

	if (key_is_zero(hub->b))
		return state_set(s, hub_name(id, name), view_of("", 0));
	key_format(KEY_MACHINE, hub->b, text);
	return state_set(s, hub_name(id, name), view_of(text, strlen(text)));
}

int profile_save(struct state *s, struct rng *rng, char id[static PROFILE_ID_MAX],
	const struct profile_facts *f)
{
	const struct ipn_persist *c = f->prefs->persist;
	struct json_map m;
	struct arena a;
	int rc;

	if (!c || !c->node_id || !*c->node_id || !c->user.login_name || !*c->user.login_name ||
		key_is_zero(f->identity->node.b))
		return 0;
	arena_init(&a, PROFILE_MEM_MAX);
	rc = read_list(s, &a, &m);
	if (rc == 0 && !*id)
		rc = choose_id(&m, rng, f->prefs, id);
	if (rc == 0)
		rc = list_entry(s, &a, &m, id, f);
	if (rc == 0)
		rc = write_prefs(s, id, f);
	if (rc == 0)
		rc = write_hub_key(s, id, &f->identity->hub);
	if (rc == 0)
		rc = profile_set_current(s, id);
	if (rc == 0)
		rc = state_set(s, legacy_key, view_of("", 0));
	arena_fini(&a);
	return rc;
}

int profile_set_current(struct state *s, const char *id)
{
	char name[NAME_MAX_LEN];

	prefs_name(id, name);
	return state_set(s, current_key, *id ? view_of(name, strlen(name)) : view_of("", 0));
}

int profile_remove(struct state *s, const char *id)
{
	struct json_map m;
	struct arena a;
	char name[NAME_MAX_LEN];
	size_t k = 0;
	int rc;

	if (!profile_id_is_sound(id))
		return 0;
	arena_init(&a, PROFILE_MEM_MAX);
	rc = read_list(s, &a, &m);
	for (size_t i = 0; rc == 0 && i < m.n; i++)
		if (strcmp(m.v[i].key, id) != 0)
			m.v[k++] = m.v[i];
	if (rc == 0 && k != m.n) {
		m.n = k;
		rc = write_list(s, &m);
	}
	if (rc == 0)
		rc = state_set(s, prefs_name(id, name), view_of("", 0));
	if (rc == 0)
		rc = state_set(s, hub_name(id, name), view_of("", 0));
	if (rc == 0 &&
		view_eq(state_get(s, current_key), view_of(prefs_name(id, name), strlen(name))))
		rc = profile_set_current(s, "");
	arena_fini(&a);
	return rc;
}
