/* warren-hub status --limits */
#include "hub/command.h"

#include <stdio.h>

/* "12.3 MB", or a number of something else. */
static const char *amount(struct cmd *c, const struct admin_limit *l, int64_t n)
{
	bool bytes = !strcmp(l->of, "memory");

	if (n < 0)
		return "-";
	if (!bytes)
		return cmd_number(c, n);
	return arena_printf(&c->mem, "%lld.%lld MB", (long long)(n >> 20),
		(long long)((n & 0xfffff) * 10 >> 20));
}

static int add_sum(struct cmd *c, struct table *t, const char *of, int64_t sum, int64_t max)
{
	const struct admin_limit l = { .of = of };

	return TABLE_ROW(t, of, "all together", "", amount(c, &l, sum),
		max ? arena_printf(&c->mem, "of %s", amount(c, &l, max)) : "");
}

int cmd_limits(struct cmd *c)
{
	struct admin_limits a;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/limits", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_limits_type, &a, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=OF", "WHAT", "=NOW", "=AT MOST", "WHEN IT IS REACHED");
	for (size_t i = 0; i < a.limits.n && rc == 0; i++) {
		const struct admin_limit *l = JSON_AT(a.limits, struct admin_limit, i);

		rc = TABLE_ROW(&t, l->of, l->what, amount(c, l, l->now), amount(c, l, l->max),
			l->counter ? l->counter : "");
	}
	if (rc == 0)
		rc = add_sum(c, &t, "memory", a.memory_sum, a.memory_max);
	if (rc == 0)
		rc = add_sum(c, &t, "descriptors", a.descriptors_sum, a.descriptors_max);
	if (rc == 0)
		rc = add_sum(c, &t, "tasks", a.tasks_sum, a.tasks_max);
	rc = cmd_print(&t, rc);
	if (rc == 0)
		printf("Memory: %s.\n", a.memory_from);
	return rc;
}
