/* The parts of a message that the policy makes for one reader: its filter, ssh rules, itself; and what is wrong. */
#include "core/coord/mapper/internal.h"

#include "base/siphash/siphash.h"

#include <errno.h>

enum { DRAFT_MAX = 1 << 28, MEM_MAX = 1 << 22, PARTS_MAX = 4096 };

/* In a check rule: the client asks us, over Noise, whatever the address is called here. */
static const char check_url[] =
	"https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER";

void map_policies_self(struct map_writer *d, const char *before, bool all)
{
	struct map_session *p = d->p;
	size_t at = buf_len(&d->text), start;
	struct arena a;
	uint64_t h;

	if (!all && !p->self_stale && p->node->changed_whole <= p->cursor)
		return;
	p->self_stale = false;
	p->dns_stale = true; /* what is told of resolvers may depend on it */
	map_writer_put(d, "%s\"Node\":", before);
	start = buf_len(&d->text);
	arena_init(&a, MEM_MAX);
	if (d->rc == 0)
		d->rc = map_node_put(p->tailnet, p->node, p->node, &a, &d->text);
	arena_fini(&a);
	if (d->rc < 0)
		return;
	h = siphash(p->tailnet->seed, buf_data(&d->text) + start, buf_len(&d->text) - start);
	if (!all && h == p->self_told)
		buf_truncate(&d->text, at);
	p->self_told = h;
}

/* the packet filter */

struct filter_hash {
	const uint8_t *seed;
	uint64_t sum;
};

static int hash_part(void *ctx, uint64_t id, struct view bytes)
{
	struct filter_hash *h = ctx;

	h->sum = id ? siphash_next(h->seed, h->sum, &id, sizeof(id))
		    : siphash_next(h->seed, h->sum, bytes.p, bytes.len);
	return 0;
}

struct filter_part {
	struct map_node node;
	uint64_t id;
	struct map_frame *piece;
};

void map_policies_clear(struct tailnet *c)
{
	map_for_each(m, &c->mapper->filter_parts) {
		struct filter_part *f = container_of(m, struct filter_part, node);

		map_remove(&c->mapper->filter_parts, m);
		map_frame_put(f->piece);
		free(f);
	}
}

static struct map_frame *part_piece(struct tailnet *c, uint64_t id, struct view bytes)
{
	struct map_node *m = map_find(&c->mapper->filter_parts, &id, sizeof(id));
	struct filter_part *f;

	if (m)
		return container_of(m, struct filter_part, node)->piece;
	if (c->mapper->filter_parts.n_items >= PARTS_MAX)
		map_policies_clear(c); /* most are of texts that are no more */
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->id = id;
	f->piece = map_frame_of(c, bytes.p, bytes.len);
	if (!f->piece ||
		map_insert(&c->mapper->filter_parts, &f->node, &f->id, sizeof(f->id)) != 0) {
		map_frame_put(f->piece);
		free(f);
		return NULL;
	}
	return f->piece;
}

static int put_part(void *ctx, uint64_t id, struct view bytes)
{
	struct map_writer *d = ctx;

	if (!id && d->rc == 0)
		d->rc = buf_append(&d->text, bytes.p, bytes.len);
	else if (id)
		map_writer_put_frame(d, part_piece(d->p->tailnet, id, bytes));
	return d->rc;
}

static const char allow_all[] =
	"[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}]";

static void filter_parts(struct map_writer *d, policy_part_fn fn, void *ctx)
{
	struct tailnet *c = d->p->tailnet;
	int rc = d->rc;

	if (rc == 0 && coord_node_is_alone(d->p->node))
		rc = fn(ctx, 0, VIEW_LIT("[]"));
	else if (rc == 0 && c->open)
		rc = fn(ctx, 0, view_of(allow_all, sizeof(allow_all) - 1));
	else if (rc == 0)
		rc = policy_filter_parts(policy_installed(c->policy), d->p->node->doc.id, fn, ctx);
	d->rc = rc < 0 ? rc : d->rc;
}

static void put_filter(struct map_writer *d, bool all)
{
	struct filter_hash h = { .seed = d->p->tailnet->seed };

	filter_parts(d, hash_part, &h);
	if (!all && h.sum == d->p->filter_told)
		return;
	d->p->filter_told = h.sum;
	map_writer_put(d, ",\"PacketFilters\":{\"base\":");
	filter_parts(d, put_part, d);
	map_writer_put(d, "}");
}

static void put_ssh(struct map_writer *d, bool all)
{
	struct tailnet *c = d->p->tailnet;
	struct buf text;
	uint64_t h;
	int rc = 1;

	if (d->rc < 0)
		return;
	buf_init(&text, DRAFT_MAX);
	if (!c->open && !coord_node_is_alone(d->p->node))
		rc = policy_ssh(policy_installed(c->policy), d->p->node->doc.id, check_url, &text);
	if (rc == 1) {
		buf_clear(&text);
		rc = buf_append_str(&text, "{\"rules\":[]}");
	}
	h = siphash(c->seed, buf_data(&text), buf_len(&text));
	if (rc == 0 && (all || h != d->p->ssh_told)) {
		map_writer_put(d, ",\"SSHPolicy\":");
		rc = buf_append(&d->text, buf_data(&text), buf_len(&text));
		d->p->ssh_told = h;
	}
	d->rc = rc < 0 ? rc : d->rc;
	buf_fini(&text);
}

static const char quarantine_text[] =
	"This device offers routes into networks of your organisation, so it is kept apart. Stop "
	"advertising them, or ask an administrator to approve them.";

static const char duplicate_text[] =
	"Another device runs with the identity of this one, a copy of its state, so both lose their "
	"connection again and again. On one of them, stop the service, delete its state and log in anew.";

static const char tags_text[] =
	"This device asks for tags, but a device gets tags by a login only: up --force-reauth with the tags "
	"asks for one.";

static void put_text(struct map_writer *d, const char *text)
{
	if (d->rc == 0 && *(buf_data(&d->text) + buf_len(&d->text) - 1) != '[')
		d->rc = buf_append_str(&d->text, ",");
	if (d->rc == 0)
		d->rc = json_encode_str(&d->text, text, strlen(text));
}

/*
 * What a person at the device has to know; all: at the beginning of a stream, when it may remember other things. An empty list takes
 * back what was said before.
 */
static void put_health(struct map_writer *d, bool all)
{
	const struct coord_node *n = d->p->node;
	char line[1024];

	if (!all && !d->p->health_stale)
		return;
	d->p->health_stale = false;
	map_writer_put(d, ",\"Health\":[");
	if (n->quarantined)
		put_text(d, quarantine_text);
	if (clones_is_duplicate(n))
		put_text(d, duplicate_text);
	if (n->refused) {
		snprintf(line, sizeof(line), "%s%s", TC_REFUSED_SETTING, n->refused);
		put_text(d, line);
	}
	if (coord_node_lacks_tags(&n->doc))
		put_text(d, tags_text);
	map_writer_put(d, "]");
}

/* What is wrong, how names are resolved, the packet filter, and the rules of ssh. */
void map_policies_put(struct map_writer *d, bool all)
{
	put_health(d, all);
	if (all || d->p->dns_stale)
		map_dns_put(d, all);
	if (all || d->p->filter_stale)
		put_filter(d, all);
	if (all || d->p->ssh_stale)
		put_ssh(d, all);
	d->p->filter_stale = d->p->ssh_stale = d->p->dns_stale = false;
}
