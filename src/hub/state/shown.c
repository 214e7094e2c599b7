/*
 * What people were shown of devices that wait, by its digest: so that who approves what is no longer so reads what has changed. The
 * last few are kept; of others only the present is said.
 */
#include "hub/state/state.h"

#include <errno.h>
#include <string.h>

static const struct hub_shown *find(const struct hub *h, const char *digest)
{
	for (size_t i = 0; i < HUB_SHOWN_MAX; i++)
		if (h->shown[i].grant.lines.n && !strcmp(h->shown[i].grant.digest, digest))
			return &h->shown[i];
	return NULL;
}

static void forget(struct hub_shown *s)
{
	if (s->grant.lines.n)
		arena_fini(&s->mem);
	*s = (struct hub_shown){ 0 };
}

static int copy(const struct coord_grant *from, struct hub_shown *to)
{
	arena_init(&to->mem, HUB_SHOWN_TEXT_MAX);
	memcpy(to->grant.digest, from->digest, sizeof(from->digest));
	for (size_t i = 0; i < from->lines.n; i++) {
		const struct coord_grant_line *l = JSON_AT(from->lines, struct coord_grant_line, i);
		struct coord_grant_line *line =
			json_list_add(&to->grant.lines, &to->mem, sizeof(*line));

		if (!line)
			return -ENOMEM;
		line->label = arena_strdup(&to->mem, l->label);
		line->value = arena_strdup(&to->mem, l->value);
		if (!line->label || !line->value)
			return -ENOMEM;
	}
	return 0;
}

void shown_note(struct hub *h, const struct coord_grant *g)
{
	struct hub_shown *to = &h->shown[h->next_shown % HUB_SHOWN_MAX];

	if (find(h, g->digest))
		return;
	forget(to);
	if (copy(g, to) == 0)
		h->next_shown++;
	else
		forget(to);
}

void shown_free(struct hub *h)
{
	for (size_t i = 0; i < HUB_SHOWN_MAX; i++)
		forget(&h->shown[i]);
}

/* NULL: there is no such line. */
static const char *value_of(const struct coord_grant *g, const char *label)
{
	for (size_t i = 0; i < g->lines.n; i++) {
		const struct coord_grant_line *l = JSON_AT(g->lines, struct coord_grant_line, i);

		if (!strcmp(l->label, label))
			return l->value;
	}
	return NULL;
}

/* Lines of `of` that are not so in `other`. gone: only those that are not there at all. */
static const char *put_changes(const char *text, const struct coord_grant *of,
	const struct coord_grant *other, bool gone, struct arena *mem)
{
	for (size_t i = 0; i < of->lines.n && text; i++) {
		const struct coord_grant_line *l = JSON_AT(of->lines, struct coord_grant_line, i);
		const char *was = value_of(other, l->label), *comma = *text ? ", " : "";

		if (gone ? was != NULL : was && !strcmp(was, l->value))
			continue;
		if (gone)
			text = arena_printf(mem, "%s%s\"%s\" was \"%s\" and is gone", text, comma,
				l->label, l->value);
		else if (was)
			text = arena_printf(mem, "%s%s\"%s\" was \"%s\" and is \"%s\"", text, comma,
				l->label, was, l->value);
		else
			text = arena_printf(mem, "%s%s\"%s\" was absent and is \"%s\"", text, comma,
				l->label, l->value);
	}
	return text;
}

const char *shown_changes(
	const struct hub *h, const char *digest, const struct coord_grant *now, struct arena *mem)
{
	const struct hub_shown *was = find(h, digest);
	const char *text = "";

	if (was)
		text = put_changes(text, now, &was->grant, false, mem);
	if (was && text)
		text = put_changes(text, &was->grant, now, true, mem);
	return text ? text : "";
}
