#include "base/metric/metric.h"

int metrics_put(struct buf *out, const struct metric *v, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = buf_printf(out, "# HELP warren_%s %s\n# TYPE warren_%s %s\nwarren_%s %llu\n",
			v[i].name, v[i].help, v[i].name, v[i].type, v[i].name,
			(unsigned long long)v[i].value);
	return rc;
}
