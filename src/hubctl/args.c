/* What arguments and flags name: devices, tags, times. */
#include "base/text/text.h"
#include "hubctl/internal.h"
#include "term/duration.h"

#include <errno.h>
#include <string.h>

bool cmd_is_number(const char *s)
{
	uint64_t n;

	return text_u64(s, strlen(s), INT64_MAX, &n) == 0;
}

/* "tag:a,tag:b" */
int cmd_split_tags(struct cmd *c, const char *text, struct json_list *ret)
{
	size_t n = 1, i = 0;
	const char **v;
	char *rest = arena_strdup(&c->mem, text), *tag;

	for (const char *p = text; *p; p++)
		n += *p == ',';
	v = arena_array(&c->mem, n, sizeof(*v));
	if (!v || !rest)
		return -ENOMEM;
	while ((tag = strsep(&rest, ",")))
		if (*tag)
			v[i++] = tag;
	*ret = json_list_of(v, i);
	return 0;
}

/* "0" is never only where it says so: a key that has no time must be asked for in words. */
int cmd_expiry(struct cmd *c, int64_t *ret_ms)
{
	const char *text = c->o->expiry;

	if (!text)
		return 0;
	if (duration_parse_life(text, ret_ms) < 0 || (!*ret_ms && strcmp(text, "never") != 0))
		return cmd_fail("--expiry \"%s\": write it as 30m, 24h, 90d or never", text);
	return 0;
}

int cmd_resolve_node(struct cmd *c, const char *word, int64_t *ret)
{
	struct admin_request req = { .name = word };
	struct admin_node n;
	int rc = cmd_ask(c, "POST", "/nodes/show", &req);

	if (rc)
		return rc;
	if (!cmd_decode(c, &admin_node_type, &n))
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	*ret = n.id;
	buf_clear(&c->in);
	return 0;
}

const char *cmd_given(const struct cmd *c, const char *flag, const char *value)
{
	for (size_t i = 0; i < c->o->n_given; i++)
		if (!strcmp(c->o->given[i], flag))
			return value;
	return NULL;
}
