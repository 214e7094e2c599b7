/* core/policy/compile: atoms, address sets and sides of rules, each once. */
#include "core/policy/compile/internal.h"
#include "base/text/text.h"

#include <errno.h>

/* The key of an atom: its kind, then its text or prefix. At most this long. */
enum { ATOM_KEY_MAX = 2048 };

static size_t atom_key(
	enum atom_kind kind, const void *p, size_t len, uint8_t out[static ATOM_KEY_MAX])
{
	if (len > ATOM_KEY_MAX - 1)
		len = ATOM_KEY_MAX - 1; /* longer than any text that a node or user can have */
	out[0] = (uint8_t)kind;
	memcpy(out + 1, p, len);
	return len + 1;
}

static uint32_t atom_find(const struct policy_plan *p, const uint8_t *key, size_t len)
{
	struct map_node *n = map_find(&p->atom_by_key, key, len);

	return n ? container_of(n, struct atom, node)->id : NONE;
}

static uint32_t atom_add(struct policy_plan *p, enum atom_kind kind, const void *text, size_t len)
{
	uint8_t key[ATOM_KEY_MAX];
	size_t key_len = atom_key(kind, text, len, key);
	uint32_t found = atom_find(p, key, key_len);
	struct atom *a;
	char *kept;

	if (found != NONE)
		return found;
	a = arena_new(&p->mem, struct atom);
	kept = arena_strndup(&p->mem, key, key_len);
	if (!a || !kept || plan_room(&p->atoms, p->n_atoms, &p->cap_atoms, sizeof(*p->atoms)) < 0)
		return NONE;
	a->id = p->n_atoms;
	a->kind = kind;
	a->text = arena_strndup(&p->mem, text, len);
	a->bound = NONE;
	if (!a->text || map_insert(&p->atom_by_key, &a->node, kept, key_len) < 0)
		return NONE;
	p->atoms[p->n_atoms] = a;
	return p->n_atoms++;
}

uint32_t plan_atom(struct policy_plan *p, enum atom_kind kind, const char *text)
{
	return atom_add(p, kind, text, strlen(text));
}

uint32_t plan_atom_find(const struct policy_plan *p, enum atom_kind kind, const char *text)
{
	uint8_t key[ATOM_KEY_MAX];
	size_t len = strlen(text);

	return len >= ATOM_KEY_MAX ? NONE : atom_find(p, key, atom_key(kind, text, len, key));
}

uint32_t plan_prefix_find(const struct policy_plan *p, struct ipprefix x)
{
	uint8_t key[ATOM_KEY_MAX];

	return atom_find(p, key, atom_key(ATOM_PREFIX, &x, sizeof(x), key));
}

static uint32_t prefix_atom(struct policy_plan *p, struct ipprefix x)
{
	uint32_t before = p->n_atoms, id = atom_add(p, ATOM_PREFIX, &x, sizeof(x));

	if (id == NONE || id != before)
		return id;
	p->atoms[id]->prefix = x;
	if (x.ip.family == 4)
		p->bits4 |= 1ull << x.bits;
	else
		p->bits6[x.bits / 64] |= 1ull << x.bits % 64;
	return u32s_push(&p->sorted_prefixes, id) < 0 ? NONE : id;
}

static int add_atom(struct policy_plan *p, struct addr_set *s, uint32_t atom, uint32_t term)
{
	if (atom == NONE || u32s_push(&s->atoms, atom) < 0 || u32s_push(&s->terms, term) < 0)
		return -ENOMEM;
	return 0;
}

static int add_prefixes(struct policy_plan *p, struct addr_set *s, const struct ipprefix *v,
	size_t n, uint32_t term)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = add_atom(p, s, prefix_atom(p, v[i]), term);
		if (rc == 0)
			rc = ranges_push(&s->literals, iprange_of(v[i]));
	}
	return rc;
}

static int add_autogroup(
	struct policy_plan *p, struct addr_set *s, enum autogroup ag, uint32_t term)
{
	switch (ag) {
	case AG_MEMBER:
		return add_atom(p, s, ATOM_MEMBER, term);
	case AG_TAGGED:
		return add_atom(p, s, ATOM_TAGGED, term);
	case AG_INTERNET:
		s->internet = true;
		return add_atom(p, s, ATOM_INTERNET, term);
	case AG_DANGER_ALL:
		s->danger = true;
		return add_atom(p, s, ATOM_ALL, term);
	case AG_SELF:
	case AG_NONROOT:
	case AG_SHARED: /* no node of another tailnet is known here */
		return add_atom(p, s, ATOM_NEVER, term);
	case AG_OWNER:
	case AG_ADMIN:
	case AG_IT_ADMIN:
	case AG_NETWORK_ADMIN:
	case AG_BILLING_ADMIN:
	case AG_AUDITOR:
	case N_AUTOGROUPS:
		break;
	}
	return add_atom(p, s, plan_atom(p, ATOM_ROLE, autogroup_text(ag)), term);
}

/* Domains of e-mail addresses compare without regard to case. */
static uint32_t domain_atom(struct policy_plan *p, const char *domain)
{
	char *low = arena_strdup(&p->mem, domain);

	for (char *c = low; c && *c; c++)
		*c = ascii_lower(*c);
	return low ? plan_atom(p, ATOM_DOMAIN, low) : NONE;
}

static int add_placed(struct policy_plan *p, struct addr_set *s, enum atom_kind kind,
	const struct term *t, uint32_t term)
{
	uint32_t id = plan_atom(p, kind, t->text);

	if (id != NONE && p->atoms[id]->at.line == 0)
		p->atoms[id]->at = t->at;
	return add_atom(p, s, id, term);
}

static int add_term(struct policy_plan *p, struct addr_set *s, const struct term *t, uint32_t term)
{
	struct map_node *n;

	switch (t->kind) {
	case TERM_PREFIX:
		return add_prefixes(p, s, &t->prefix, 1, term);
	case TERM_STAR:
		s->star = true;
		return add_atom(p, s, ATOM_STAR4, term) < 0 ? -ENOMEM
							    : add_atom(p, s, ATOM_STAR6, term);
	case TERM_DOMAIN:
		return add_atom(p, s, domain_atom(p, t->text), term);
	case TERM_USER:
		return add_placed(p, s, ATOM_USER, t, term);
	case TERM_GROUP:
		return add_placed(p, s, ATOM_GROUP, t, term);
	case TERM_TAG:
		return add_placed(p, s, ATOM_TAG, t, term);
	case TERM_AUTOGROUP:
		return add_autogroup(p, s, t->ag, term);
	case TERM_IPSET:
	case TERM_HOST:
		n = map_find(&p->names, t->full, strlen(t->full));
		if (n) {
			struct named_thing *thing = container_of(n, struct named_thing, node);

			return add_prefixes(p, s, thing->prefixes, thing->n, term);
		}
		break;
	case TERM_SERVICE:
		break;
	}
	return add_atom(p, s, ATOM_NEVER, term);
}

void addr_set_fini(struct addr_set *s)
{
	u32s_fini(&s->atoms);
	u32s_fini(&s->terms);
	u32s_fini(&s->postures);
	u32s_fini(&s->classes);
	u32s_fini(&s->ssh_rules);
	ranges_fini(&s->literals);
	free(s->text);
}

static int add_postures(struct policy_plan *p, struct addr_set *s, const struct doc_texts *t)
{
	for (size_t i = 0; t && i < t->n; i++) {
		uint32_t id = plan_atom(p, ATOM_POSTURE, t->v[i].s);

		if (id == NONE || u32s_push(&s->postures, id) < 0)
			return -ENOMEM;
		if (!p->atoms[id]->posture) {
			p->atoms[id]->posture = doc_posture(p->doc, t->v[i].s);
			if (u32s_push(&p->posture_atoms, id) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Atoms and where selectors end, then the postures: what makes two lists of selectors one set. */
static char *set_key(struct policy_plan *p, const struct addr_set *s, size_t *ret_len)
{
	size_t n = 2 * s->atoms.n + s->postures.n + 1;
	uint32_t *key = arena_array(&p->mem, n, sizeof(*key));

	*ret_len = n * sizeof(*key);
	if (!key)
		return NULL;
	for (uint32_t i = 0; i < s->atoms.n; i++) {
		key[2 * i] = s->atoms.v[i];
		key[2 * i + 1] = s->terms.v[i];
	}
	key[2 * s->atoms.n] = NONE;
	if (s->postures.n)
		memcpy(key + 2 * s->atoms.n + 1, s->postures.v, s->postures.n * sizeof(*key));
	return (char *)key;
}

static void judge_internet(struct policy_plan *p, struct addr_set *s)
{
	ranges_sort(&s->literals);
	s->covers_internet = s->internet;
	s->meets_internet = s->internet;
	for (size_t i = 0; i < p->internet.n; i++)
		s->meets_internet |= ranges_overlap(&s->literals, p->internet.v[i]);
	if (s->internet)
		return;
	s->covers_internet = true;
	for (size_t i = 0; i < p->internet.n; i++)
		s->covers_internet &= ranges_cover(&s->literals, p->internet.v[i]);
	/* One family in whole is enough: 0.0.0.0/0 or ::/0. */
	for (size_t i = 0; i < s->literals.n; i++) {
		struct ipprefix whole;

		s->covers_internet |=
			ranges_one_prefix(s->literals.v[i], &whole) && whole.bits == 0;
	}
}

static int set_register(struct policy_plan *p, struct addr_set *s, char *key, size_t key_len)
{
	int rc = plan_room(&p->sets, p->n_sets, &p->cap_sets, sizeof(*p->sets));

	if (rc == 0)
		rc = map_insert(&p->set_by_key, &s->node, key, key_len);
	if (rc < 0) {
		addr_set_fini(s);
		free(s);
		return rc;
	}
	/* From here on it is freed with the plan. */
	s->id = p->n_sets;
	p->sets[p->n_sets++] = s;
	for (uint32_t i = 0; i < s->atoms.n && rc == 0; i++) {
		struct u32s *sets = &p->atoms[s->atoms.v[i]]->sets;

		if (sets->n == 0 || sets->v[sets->n - 1] != s->id)
			rc = u32s_push(sets, s->id);
	}
	for (uint32_t i = 0; i < s->postures.n && rc == 0; i++)
		rc = u32s_push(&p->atoms[s->postures.v[i]]->sets, s->id);
	if (rc == 0 && s->star)
		rc = u32s_push(&p->star_sets, s->id);
	if (rc == 0 && s->meets_internet)
		rc = u32s_push(&p->internet_sets, s->id);
	return rc;
}

uint32_t plan_addr_set(
	struct policy_plan *p, const struct term *terms, size_t n, const struct doc_texts *postures)
{
	struct addr_set *s = calloc(1, sizeof(*s));
	struct map_node *found;
	size_t key_len;
	char *key;
	int rc = s ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && rc == 0; i++)
		if (terms[i].kind != TERM_AUTOGROUP || terms[i].ag != AG_SELF)
			rc = add_term(p, s, &terms[i], (uint32_t)i);
	if (rc == 0)
		rc = add_postures(p, s, postures);
	key = rc == 0 ? set_key(p, s, &key_len) : NULL;
	found = key ? map_find(&p->set_by_key, key, key_len) : NULL;
	if (!key || found) {
		if (s)
			addr_set_fini(s);
		free(s);
		return found ? container_of(found, struct addr_set, node)->id : NONE;
	}
	judge_internet(p, s);
	for (int m = 0; m < N_MODES; m++)
		s->side[m] = NONE;
	rc = set_register(p, s, key, key_len);
	return rc < 0 ? NONE : s->id;
}

uint32_t plan_side(struct policy_plan *p, uint32_t set, enum mode mode)
{
	struct addr_set *s = p->sets[set];
	struct side *e;

	if (s->side[mode] != NONE)
		return s->side[mode];
	e = calloc(1, sizeof(*e));
	if (!e || plan_room(&p->sides, p->n_sides, &p->cap_sides, sizeof(*p->sides)) < 0) {
		free(e);
		return NONE;
	}
	e->set = set;
	e->mode = mode;
	/* As a destination of packets * is everything; as a source, and for capabilities, the
	 * tailnet. */
	e->all = (mode == MODE_DST && s->star) || (s->danger && !s->postures.n);
	p->sides[p->n_sides] = e;
	s->side[mode] = p->n_sides;
	p->n_sides++;
	if (e->all && u32s_push(&p->all_sides, p->n_sides - 1) < 0)
		return NONE;
	return p->n_sides - 1;
}
