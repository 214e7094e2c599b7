/*
 * What people were shown of devices that wait, by its digest: so that who approves what is no longer so reads what has changed. The
 * last few are kept; of others only the present is said.
 */
#include "base/text/text.h"
#include "hub/internal.h"

#include <stdlib.h>
#include <string.h>

static const struct hub_shown *find(const struct hub *h, const char *digest)
{
	for (size_t i = 0; i < HUB_SHOWN_MAX; i++)
		if (h->shown[i].text && !strcmp(h->shown[i].digest, digest))
			return &h->shown[i];
	return NULL;
}

/* "label\tvalue\n": neither has control characters. */
static int put_lines(const struct ctl_grant *g, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; i < g->lines.n && rc == 0; i++) {
		const struct ctl_grant_line *l = JSON_AT(g->lines, struct ctl_grant_line, i);

		rc = buf_printf(out, "%s\t%s\n", l->label, l->value);
	}
	return rc;
}

void shown_note(struct hub *h, const struct ctl_grant *g)
{
	struct hub_shown *to = &h->shown[h->next_shown % HUB_SHOWN_MAX];
	struct buf text;

	if (find(h, g->digest))
		return;
	buf_init(&text, HUB_SHOWN_TEXT_MAX);
	if (put_lines(g, &text) == 0 && buf_append(&text, "", 1) == 0) {
		free(to->text);
		to->text = strdup((const char *)buf_data(&text));
		snprintf(to->digest, sizeof(to->digest), "%s", g->digest);
		h->next_shown++;
	}
	buf_fini(&text);
}

void shown_free(struct hub *h)
{
	for (size_t i = 0; i < HUB_SHOWN_MAX; i++)
		free(h->shown[i].text);
}

/* The value of this label in a text of lines; NULL: it is not there. */
static const char *value_of(const char *text, const char *label, size_t len, size_t *ret_len)
{
	while (*text) {
		size_t line = strcspn(text, "\n");

		if (line > len && text[len] == '\t' && !memcmp(text, label, len)) {
			*ret_len = line - len - 1;
			return text + len + 1;
		}
		text += line + (text[line] == '\n');
	}
	return NULL;
}

static int put_gone(const char *old, const char *now, const char **comma, struct buf *out)
{
	int rc = 0;

	while (*old && rc == 0) {
		size_t line = strcspn(old, "\n"), label = strcspn(old, "\t"), len;

		if (!value_of(now, old, label, &len)) {
			rc = buf_printf(out, "%s\"%.*s\" was \"%.*s\" and is gone", *comma, (int)label, old, (int)(line - label - 1), old + label + 1);
			*comma = ", ";
		}
		old += line + (old[line] == '\n');
	}
	return rc;
}

static int put_changes(const char *old, const char *now, struct buf *out)
{
	const char *comma = "", *all = now;
	int rc = 0;

	for (; *now && rc == 0; now += strcspn(now, "\n") + (now[strcspn(now, "\n")] == '\n')) {
		size_t line = strcspn(now, "\n"), label = strcspn(now, "\t"), len = 0;
		const char *was = value_of(old, now, label, &len), *is = now + label + 1;
		size_t is_len = line - label - 1;

		if (was && len == is_len && !memcmp(was, is, len))
			continue;
		rc = buf_printf(out, "%s\"%.*s\" was \"%.*s\" and is \"%.*s\"", comma, (int)label, now, was ? (int)len : 6, was ? was : "absent",
			(int)is_len, is);
		comma = ", ";
	}
	return rc < 0 ? rc : put_gone(old, all, &comma, out);
}

const char *shown_changes(const struct hub *h, const char *digest, const struct ctl_grant *now, struct arena *mem)
{
	const struct hub_shown *was = find(h, digest);
	struct buf text, lines;
	const char *ret = "";
	int rc;

	if (!was)
		return ret;
	buf_init(&text, HUB_SHOWN_TEXT_MAX);
	buf_init(&lines, HUB_SHOWN_TEXT_MAX);
	rc = put_lines(now, &lines);
	if (rc == 0)
		rc = buf_append(&lines, "", 1);
	if (rc == 0)
		rc = put_changes(was->text, (const char *)buf_data(&lines), &text);
	if (rc == 0)
		ret = arena_strndup(mem, buf_data(&text), buf_len(&text));
	buf_fini(&text);
	buf_fini(&lines);
	return ret ? ret : "";
}
