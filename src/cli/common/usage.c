/* The help of a command. */
#include "cli/common/common.h"

static void print_subcommands(const struct cli_cmd *cmd, FILE *out)
{
	size_t width = 0;

	for (const struct cli_cmd *s = cmd->sub; s->name; s++)
		width = MAX_OF(width, s->hidden ? 0 : strlen(s->name));
	fputs("\nSUBCOMMANDS\n", out);
	for (const struct cli_cmd *s = cmd->sub; s->name; s++)
		if (!s->hidden)
			fprintf(out, "  %-*s  %s\n", (int)width, s->name, s->help);
}

static void print_flags(const struct flag *f, FILE *out)
{
	bool any = false;

	for (; f->name; f++) {
		if (f->hidden)
			continue;
		if (!any)
			fputs("\nFLAGS\n", out);
		any = true;
		if (f->kind == FLAG_BOOL)
			fprintf(out, "  --%s, --%s=false\n    \t%s", f->name, f->name, f->help);
		else
			fprintf(out, "  --%s %s\n    \t%s", f->name, cli_text_or(f->arg, "value"),
				f->help);
		if (f->def && *f->def)
			fprintf(out, " (default %s)", f->def);
		fputc('\n', out);
	}
}

void cli_usage(const struct cli_cmd *cmd, const char *path, FILE *out)
{
	fprintf(out, "%s\n\nUSAGE\n  %s\n", cmd->help, path);
	if (cmd->more)
		fprintf(out, "\n%s\n", cmd->more);
	if (cmd->sub)
		print_subcommands(cmd, out);
	if (cmd->flags)
		print_flags(cmd->flags, out);
}
