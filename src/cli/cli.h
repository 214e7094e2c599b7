/* cli: the command line of a device: which command, its flags, its help. */
#ifndef WARREN_CLI_CLI_H
#define WARREN_CLI_CLI_H

/* The exit code. */
int cli_main(int argc, char **argv);

#endif
