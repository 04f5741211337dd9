/* The words that say how a title feels: found in reviews and tags, stored as bits. */
#ifndef CATALOG_MOOD_WORD_H
#define CATALOG_MOOD_WORD_H

#include <stdint.h>

#include "base/str.h"

enum { MOOD_WORD_COUNT = 16 };

/* The word for people: "heart-warming". Static. */
const char *mood_word_name(int bit);
/* Its tone, -1 .. 1 each. The words stand near the terms of Russell's circumplex (1980, fig. 4);
 * the numbers are our reading of that figure. */
float mood_word_valence(int bit);
float mood_word_arousal(int bit);

/* Bits of the words that occur in the text, in any of their spellings. */
unsigned mood_words_in(const char *text);

/* "warm, bittersweet" of the bits; "" of 0. */
void mood_words_text(unsigned bits, struct str *out);

#endif
