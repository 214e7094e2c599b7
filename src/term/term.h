/*
 * term/term: the one way by which text of a program gets to where a person reads it. What other devices, hubs, relays and users wrote is
 * in what is printed; on a terminal it must be text and nothing else. From term_guard on, all that goes to stdout or stderr by stdio
 * is looked at on its way: of characters that are not to be shown (base/text/plain) only line ends and tabs pass, each other one
 * becomes '?'. That one text stays in its line is not seen here: those who decode answers make them plain (json_make_plain).
 */
#ifndef WARREN_TERM_TERM_H
#define WARREN_TERM_TERM_H

#include "base/attr/attr.h"

#include <stddef.h>
#include <stdio.h>

/* At the beginning of main, before anything is printed. Without memory the program ends. */
void term_guard(void);
/* Between on and off bytes pass as they are: what the program itself has to say to the terminal. */
void term_own(FILE *f, bool on);
/* Columns of the terminal at stdout; 0: there is none. */
size_t term_width(void);
/* A document that somebody may write to a file: as it is, where no terminal shows it. */
void term_document(FILE *f, const void *p, size_t len);

#endif
