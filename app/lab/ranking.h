/* `moodreel-lab ranking`: how well titles are ranked, against known viewings. */
#ifndef LAB_RANKING_H
#define LAB_RANKING_H

#include "base/err.h"

/* MovieLens leave-one-out: the last rating of each user (by time, then file order) is held out, all
 * other ratings are positives, all films the user has not rated are ranked. Prints HR and NDCG at
 * 10 and 20 of popularity, plain EASE, and EASE with fading likes. The half-life of the fading is
 * the one with the best NDCG@10 on the last but one rating of each user, with weights that saw
 * neither that rating nor the held-out one; it is fixed before the held-out ratings are read. */
int ranking_movielens(const char *file, double lambda, struct err *err);

/* LDOS-CoMoDa: each viewing rated 4 or 5 asks "this emotion" and its film should rank high among
 * all films. Ten folds by user: everything learnt comes from the other nine, the strength of
 * popularity too (nested). The program's own rows are lists of recommend(). */
int ranking_moods(const char *file, struct err *err);

#endif
