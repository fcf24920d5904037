/* Training a continuous-time recurrent network: rates, loss and gradients of one slice of 32 trials.

       y_t = carry(y_{t-1}, R_{t-1}), and to y_t[0] is added A S_{t-1} + B u_t + c + noise xi_t
       R_t = fire(y_t) + s_post eta_t,   S_t = transmit(y_t, R_t),   z_t = W_out R_t + b_out

   and back in time, with g_t = dL/dy_t[0] and dz_t = dL/dz_t,

       dL/dy_t = adjoint(dL/dy_{t+1}, W_out' dz_t + 2 penalty R_t, A' g_{t+1}),   dA = sum over t of g_t S_{t-1}'

   | symbol        | meaning                                                          | shape               |
   |---------------|------------------------------------------------------------------|---------------------|
   | n, T          | units, time steps                                                |                     |
   | u, z, dz      | inputs, outputs, dL/dz                                           | [channel or output] |
   | y             | states of a unit; the synaptic current enters y[0]; "x" of Slice | [state][unit]       |
   | R, S          | firing rates with noise; what synapses carry, which may be R     | [unit]              |
   | xi, eta       | standard normals: on y[0], on the rate                           | [unit]              |
   | gain, noise   | what a step adds to y[0] per unit of current, of xi              | [unit]              |
   | A             | gain W_eff, only where a synapse exists                          | [post][pre]         |
   | B, c          | gain W_in, gain b_rec                                            | [unit][channel]; .. |
   | s_post        | standard deviation of the noise on rates                         |                     |
   | coefficients  | what of carry, fire, transmit and adjoint depends on parameters  | [unit][coefficient] |
   | kept          | of a step, what adjoint needs: the activation, some states       | [1 + KEPT][unit]    |
   | g, others     | dL/dy[0], dL/dy of the other states                              | [unit] each         |
   | dA, ..        | gradients of A, B, c, W_out, b_out                               | as these            |
   | p             | parameters that can be trained, such as tau                      | [unit][parameter]   |
   | V, W, NV      | a vector, the numbers in it, the vectors that hold 32            |                     |
   | i, j; k; o; t | unit (post, pre); channel, state or entry; output; step          |                     |

   For rate units y = x, carry(x) = (1 - alpha) x, fire(x) = f(x), S = R, gain = alpha = dt / tau. carry, fire, transmit
   and their adjoint come from the equations of a model: `equations.h` and `model.h` are derived from its file.

   The file has three parts: what Python hands over; the reference, which takes one trial, a number at a time; and the
   same for 32 trials at once, whose functions go by the names of the reference's. Lanes are trials: every array of the
   fast part is [...][unit][32 trials], so that a sum over units is made in the same order whatever the width of a
   vector, and a slice needs nobody else from its first step to its last. Arithmetic is strict and every fused
   multiply-add is written out: the bits are the same for every compiler and instruction set. */

#include <math.h>
#include <stdint.h>
#include <string.h>

/* -- what Python hands over ---------------------------------------------------------------------------------------- */

enum { LANES = 32 }; /* trials of a slice */

/* Rows of a matrix: entries row[i] .. row[i + 1] - 1 are those of row i; `column` is where the 32 lanes of an entry's
   column begin, in floats. A row has a multiple of 4 entries: those that were added have the value 0 and column 0. */
typedef struct {
    const int64_t *row;
    const uint32_t *column;
    const float *value;
} Sparse;

typedef struct {
    int64_t n, channels, outputs;
    const float *coefficients, *start;            /* [n][COEFFICIENTS] of the model; states before the first step [n][STATES] */
    const float *B, *c, *noise, *W_out, *b_out;   /* B [n][channels], noise [n], W_out [outputs][n] */
    float s_post;
    Sparse A, A_transposed;
    /* A's entries once more, none added, in the order of dA: by block of 40 columns, then by the number of entries that
       a row has in the block, then by row. A tile is what a row has in a block. */
    int64_t tiles, entries;
    const int64_t *tile_begin;              /* [tiles + 1] */
    const uint32_t *tile_row, *tile_column; /* [tiles], [entries]: where the lanes of a row, a column begin */
} Network;

typedef struct {
    int64_t T, trials, slice, noisy; /* trials in all; this slice holds trials 32 slice .. 32 slice + 31 */
    uint64_t key;
    /* [T][trials][..]; x0 [trials][n] or NULL for 0; where targets is NULL, mask is the loss's slope by the outputs */
    const float *inputs, *targets, *mask, *x0;
    float *rates, *x, *z;                      /* forward only: [T][trials][..], NULL where not wanted */
    double scale, rate_penalty;                /* gradients only: 1 / sum(mask), penalty / (T trials n) */
    float *dA, *dB, *dc, *dW_out, *db_out;     /* sums over this slice, NULL where not wanted; dA as A's values */
    float *dp, *dnoise, *dstart;               /* all three or none: by way of the coefficients, of the noise [n], of start */
    double *loss;                              /* [2]: sum of mask (z - y)^2, sum of r^2 */
    float *workspace;                          /* 64-byte aligned, ctrnn_workspace() floats */
} Slice;

/* -- the reference: one trial, a number at a time, in double ------------------------------------------------------ */

static double scalar_positive(double x) { return x > 0.0 ? x : 0.0; }
static double scalar_is_positive(double x) { return x > 0.0; }
static double scalar_logistic(double x) { return 1.0 / (1.0 + exp(-x)); }
static double scalar_softplus(double x) { return scalar_positive(x) + log1p(exp(-fabs(x))); }

#include "equations.h" /* unit_start, unit_step, unit_rate, unit_sent and their slopes, as the model's file has them */

typedef struct {
    int64_t n, channels, outputs;
    const double *p, *W_eff, *W_in, *b_rec, *W_out, *b_out; /* p [n][PARAMETERS]; matrices with all their zeros */
    double s_post;
    double *y, *r, *z; /* of a trial: [T + 1][n][STATES], [T + 1][n], [T][outputs] */
    double *loss, *dW_eff, *dW_in, *db_rec, *dW_out, *db_out; /* to which a trial's are added */
} Reference;

static inline uint32_t mixed(uint32_t a) {
    a = (a ^ (a >> 16)) * 0x7feb352du;
    a = (a ^ (a >> 15)) * 0x846ca68bu;
    return a ^ (a >> 16);
}

/* Word k of the state of a trial's generator: a hash of the key, k and the trial, so that trials and keys have nothing
   in common. */
static inline uint32_t first_word(uint64_t key, int k, uint32_t trial) {
    uint32_t of_key = mixed(mixed((uint32_t)key + (uint32_t)(k + 1) * 0x9e3779b9u) ^ (uint32_t)(key >> 32));
    return mixed(of_key + 0x85ebca6bu * trial);
}

/* xoshiro128 (Blackman and Vigna 2018), and Box and Muller's pair of normals from two sums of its words. */
static void reference_pair(uint32_t s[4], double *xi, double *eta) {
    uint32_t p = s[0] + s[3], q = s[1] + s[2], shifted = s[1] << 9;
    s[2] ^= s[0], s[3] ^= s[1], s[1] ^= s[2], s[0] ^= s[3], s[2] ^= shifted, s[3] = s[3] << 11 | s[3] >> 21;
    double u = (float)((p & 0x7fffffbeu) | 1u) * 0x1p-31, turn = (float)(int32_t)q * 0x1p-31;
    double radius = sqrt(-2.0 * log(u)), angle = 1.5707963267948966 * turn;
    *xi = (p >> 31 ? -radius : radius) * cos(angle), *eta = radius * sin(angle);
}

/* y, r and z of a step from y and r of the step before, with the normals that a unit draws after the one before it. */
static void reference_step(const Reference *net, uint32_t generator[4], int noisy, const float *u,
                           const double *y_before, const double *r_before, double *y, double *r, double *z) {
    for (int64_t i = 0; i < net->n; i++) {
        double current = net->b_rec[i], xi = 0.0, eta = 0.0;
        for (int64_t k = 0; k < net->channels; k++) current += net->W_in[i * net->channels + k] * u[k];
        for (int64_t j = 0; j < net->n; j++) {
            double sent = unit_sent(net->p + j * PARAMETERS, y_before + j * STATES, r_before[j]);
            current += net->W_eff[i * net->n + j] * sent;
        }
        if (noisy) reference_pair(generator, &xi, &eta);
        unit_step(net->p + i * PARAMETERS, y_before + i * STATES, r_before[i], current, xi, y + i * STATES);
        r[i] = unit_rate(net->p + i * PARAMETERS, y + i * STATES) + net->s_post * eta;
    }
    for (int64_t o = 0; o < net->outputs; o++) {
        z[o] = net->b_out[o];
        for (int64_t j = 0; j < net->n; j++) z[o] += net->W_out[o * net->n + j] * r[j];
    }
}

/* dL/dy and dL/dcurrent of a step from those of the step after, by the chain rule: y acts through the next y, through
   what is sent and through the rate; the rate through the outputs, the penalty, what is sent and the next y. */
static void reference_step_back(const Reference *net, const double *y, const double *r, const double *dz,
                                double penalty, const double *dy_after, const double *dcurrent_after, double *dy,
                                double *dcurrent) {
    for (int64_t i = 0; i < net->n; i++, dy += STATES, dy_after += STATES) {
        Slopes d;
        unit_slopes(net->p + i * PARAMETERS, y + i * STATES, r[i], &d);
        double d_sent = 0.0, d_rate = 2.0 * penalty * r[i];
        for (int64_t j = 0; j < net->n; j++) d_sent += net->W_eff[j * net->n + i] * dcurrent_after[j];
        for (int64_t o = 0; o < net->outputs; o++) d_rate += net->W_out[o * net->n + i] * dz[o];
        d_rate += d_sent * d.sent_r;
        for (int a = 0; a < STATES; a++) d_rate += dy_after[a] * d.next_r[a];
        dcurrent[i] = 0.0;
        for (int b = 0; b < STATES; b++) {
            dy[b] = d_sent * d.sent_y[b] + d_rate * d.rate_y[b];
            for (int a = 0; a < STATES; a++) dy[b] += dy_after[a] * d.next_y[a][b];
            dcurrent[i] += dy[b] * d.next_current[b];
        }
    }
}

/* A trial forward in time and back: what ctrnn_gradients computes for 32. */
__attribute__((cold)) void ctrnn_reference(const Reference *net, const Slice *job, int64_t trial) {
    int64_t n = net->n, channels = net->channels, outputs = net->outputs, T = job->T;
    double *y = net->y, *r = net->r, dy[2][n * STATES], dcurrent[2][n], dz[outputs];
    uint32_t generator[4];
    for (int k = 0; k < 4; k++) generator[k] = first_word(job->key, k, trial);
    for (int64_t i = 0; i < n; i++) {
        unit_start(net->p + i * PARAMETERS, y + i * STATES);
        r[i] = unit_rate(net->p + i * PARAMETERS, y + i * STATES);
    }
    for (int64_t t = 0; t < T; t++, y += n * STATES, r += n)
        reference_step(net, generator, job->noisy, job->inputs + (t * job->trials + trial) * channels, y, r,
                       y + n * STATES, r + n, net->z + t * outputs);

    /* y and r are those after step t; before it stand those after the step before. */
    memset(dy, 0, sizeof dy), memset(dcurrent, 0, sizeof dcurrent);
    for (int64_t t = T - 1; t >= 0; t--, y -= n * STATES, r -= n) {
        const float *u = job->inputs + (t * job->trials + trial) * channels;
        double *g = dcurrent[t % 2];
        for (int64_t o = 0; o < outputs; o++) {
            int64_t at = (t * job->trials + trial) * outputs + o;
            double error = job->targets ? net->z[t * outputs + o] - job->targets[at] : 0.0;
            *net->loss += job->scale * job->mask[at] * error * error;
            net->db_out[o] += dz[o] = job->targets ? 2.0 * job->scale * job->mask[at] * error : job->mask[at];
        }
        reference_step_back(net, y, r, dz, job->rate_penalty, dy[(t + 1) % 2], dcurrent[(t + 1) % 2], dy[t % 2], g);
        for (int64_t i = 0; i < n; i++) {
            *net->loss += job->rate_penalty * r[i] * r[i];
            net->db_rec[i] += g[i];
            for (int64_t k = 0; k < channels; k++) net->dW_in[i * channels + k] += g[i] * u[k];
            for (int64_t o = 0; o < outputs; o++) net->dW_out[o * n + i] += dz[o] * r[i];
            for (int64_t j = 0; j < n; j++)
                net->dW_eff[i * n + j] += g[i] * unit_sent(net->p + j * PARAMETERS, y - (n - j) * STATES, r[j - n]);
        }
    }
}

/* -- vectors: the only part that knows the instruction set ------------------------------------------------------- */

#if defined(CTRNN_AVX512)
#include <immintrin.h>
enum { W = 16 };
#elif defined(CTRNN_AVX2)
#include <immintrin.h>
enum { W = 8 };
#elif defined(CTRNN_NEON)
#include <arm_neon.h>
enum { W = 4 };
#else /* any CPU, slowly; of any width, so that the widest can be tested where there is none */
#ifndef CTRNN_WIDTH
#define CTRNN_WIDTH 4
#endif
enum { W = CTRNN_WIDTH };
#endif

enum { NV = LANES / W, HALF = 16 / W };

typedef float V __attribute__((vector_size(4 * W), may_alias));
typedef int32_t I __attribute__((vector_size(4 * W), may_alias));
typedef uint32_t U __attribute__((vector_size(4 * W), may_alias));

#define EACH_VECTOR for (int v = 0; v < NV; v++)
#define BOTH for (int b = 0; b < 2; b++)

#if defined(CTRNN_AVX512)
static inline V fma_(V a, V b, V c) { return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
static inline V spread(float a) { return (V)_mm512_set1_ps(a); }
static inline V root(V a) { return (V)_mm512_sqrt_ps((__m512)a); }
static inline V four(const float *p) { return (V)_mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
static inline void stream(float *p, V a) { _mm512_stream_ps(p, (__m512)a); }
#define NTH(w, k) ((V)_mm512_permute_ps((__m512)(w), 0x55 * (k)))
#elif defined(CTRNN_AVX2)
static inline V fma_(V a, V b, V c) { return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
static inline V spread(float a) { return (V)_mm256_set1_ps(a); }
static inline V root(V a) { return (V)_mm256_sqrt_ps((__m256)a); }
static inline V four(const float *p) { return (V)_mm256_broadcast_ps((const __m128 *)p); }
static inline void stream(float *p, V a) { _mm256_stream_ps(p, (__m256)a); }
#define NTH(w, k) ((V)_mm256_permute_ps((__m256)(w), 0x55 * (k)))
#elif defined(CTRNN_NEON)
static inline V fma_(V a, V b, V c) { return (V)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
static inline V spread(float a) { return (V)vdupq_n_f32(a); }
static inline V root(V a) { return (V)vsqrtq_f32((float32x4_t)a); }
static inline V four(const float *p) { return (V)vld1q_f32(p); }
static inline void stream(float *p, V a) { *(V *)p = a; }
#define NTH(w, k) ((V)vdupq_laneq_f32((float32x4_t)(w), k))
#else
#define EACH_ELEMENT for (int i = 0; i < W; i++)
static inline V fma_(V a, V b, V c) {
    EACH_ELEMENT c[i] = fmaf(a[i], b[i], c[i]);
    return c;
}
static inline V spread(float a) {
    V made;
    EACH_ELEMENT made[i] = a;
    return made;
}
static inline V root(V a) {
    EACH_ELEMENT a[i] = sqrtf(a[i]);
    return a;
}
static inline V four(const float *p) {
    V made;
    EACH_ELEMENT made[i] = p[i % 4];
    return made;
}
static inline void stream(float *p, V a) { *(V *)p = a; }
#define NTH(w, k) spread((w)[k])
#endif

/* Vector v of a slice holds trials first_trial(v) and on: 0, 16, W, 16 + W, ... so that the two that share a sum of
   16 lanes are neighbours in memory. */
static inline int first_trial(int v) { return v % 2 * 16 + v / 2 * W; }
static inline int trial_of(int lane) { return first_trial(lane / W) + lane % W; }

static inline V load(const float *p) { return *(const V *)p; }
static inline void store(float *p, V a) { *(V *)p = a; }
static inline V rounded(I a) { return __builtin_convertvector(a, V); }
static inline V where(I mask, V a, V b) { return (V)((mask & (I)a) | (~mask & (I)b)); }

/* Of each polynomial a comment before it says what it stands for, on which interval, and the largest difference. They
   were fitted to make that difference small over the whole interval; `python -m tools.fit_polynomials` fits them again
   and measures them, and tests/unit/kernel/test_polynomials.py holds the bounds. */

/* -- normals: xoshiro128 in every lane (Blackman and Vigna 2018), Box and Muller's pairs; no fma, so that the numpy
      definition in normals.py has the same bits ------------------------------------------------------------------- */

typedef struct { U s[4][NV]; } Generator;

static void seed(Generator *g, uint64_t key, int64_t slice) {
    for (int k = 0; k < 4; k++) {
        uint32_t lanes[LANES];
        for (int lane = 0; lane < LANES; lane++)
            lanes[lane] = first_word(key, k, (uint32_t)slice * LANES + (uint32_t)trial_of(lane));
        memcpy(g->s[k], lanes, sizeof lanes);
    }
}

/* Two words a lane, each a sum of two words of the state. */
static inline void draw(Generator *g, int v, U *p, U *q) {
    U a = g->s[0][v], b = g->s[1][v], c = g->s[2][v], d = g->s[3][v];
    *p = a + d;
    *q = b + c;
    U shifted = b << 9;
    c ^= a, d ^= b, b ^= c, a ^= d, c ^= shifted;
    d = (d << 11) | (d >> 21);
    g->s[0][v] = a, g->s[1][v] = b, g->s[2][v] = c, g->s[3][v] = d;
}

/* Normals for vectors v and v + 1, line by line for both, since one vector's operations all wait for each other.
   Radius: u = k / 2^31 with odd k < 2^31 - 64 (31 bits, never 0, never rounded to 1) is m 2^-(e+1), 1 <= m < 2, and
   -2 log u = e 2 log 2 + (2 - m) P(m). Angle: a quarter turn either side of 0, and the bit left over for the cosine's
   sign. */
static inline void pairs(Generator *g, int v, V xi[2], V eta[2]) {
    U p[2], q[2];
    I k[2];
    V e[2], m[2], mm[2], P[2], radius[2], turn[2], y[2], yy[2], sine[2], cosine[2];
    BOTH draw(g, v + b, &p[b], &q[b]);
    BOTH k[b] = (I)rounded((I)((p[b] & 0x7fffffbeu) | 1u));
    BOTH e[b] = rounded(157 - (k[b] >> 23));
    BOTH m[b] = (V)((k[b] & 0x7fffff) | 0x3f800000);
    BOTH mm[b] = m[b] * m[b];
    /* P: 2 log(2 / m) / (2 - m) for 1 <= m <= 2, within 5.4e-5 */
    BOTH P[b] = (2.583935427f - 2.061298864f * m[b]) + mm[b] * ((1.1878655663f - 0.3719279291f * m[b]) + mm[b] * 0.0476672633f);
    BOTH turn[b] = rounded((I)q[b]) * 0x1p-31f;
    BOTH radius[b] = root(e[b] * 1.3862943611f + (2.0f - m[b]) * P[b]);
    BOTH y[b] = turn[b] * turn[b];
    BOTH yy[b] = y[b] * y[b];
    /* sine: sin(pi/2 t) / t for 0 <= y = t^2 <= 1, within 1.3e-6 */
    BOTH sine[b] = turn[b] * ((1.5707951251f - 0.6459262326f * y[b]) + yy[b] * (0.0795016341f - 0.0043716726f * y[b]));
    /* cosine: cos(pi/2 t) for 0 <= y = t^2 <= 1, within 6.8e-6 */
    BOTH cosine[b] = (0.9999932956f - 1.2334844955f * y[b]) + yy[b] * (0.2525802152f - 0.0190957195f * y[b]);
    BOTH xi[b] = (V)((U)(radius[b] * cosine[b]) ^ (p[b] & 0x80000000u));
    BOTH eta[b] = radius[b] * sine[b];
}

/* -- functions of equations; a NaN stays one ----------------------------------------------------------------------- */

/* 2^y, at most 2^126 and at least 2^-126. The nearest whole number of y stands in the last bits of a sum; the rest, t,
   is at most a half in size. */
static inline void power_of_two(V y[2], V power[2]) {
    V shifted[2], t[2];
    BOTH y[b] = where(y[b] > 126.0f, spread(126.0f), y[b]);
    BOTH y[b] = where(y[b] < -126.0f, spread(-126.0f), y[b]);
    BOTH shifted[b] = y[b] + 0x1.8p23f;
    BOTH t[b] = y[b] - (shifted[b] - 0x1.8p23f);
    /* power: 2^t for -1/2 <= t <= 1/2, within 1.4e-7 of its value; at 0 it is 1 */
    BOTH power[b] = fma_(spread(0.0013240888f), t[b], spread(0.0096747392f));
    BOTH power[b] = fma_(power[b], t[b], spread(0.0555083761f));
    BOTH power[b] = fma_(power[b], t[b], spread(0.2402215427f));
    BOTH power[b] = fma_(power[b], t[b], spread(0.693146892f));
    BOTH power[b] = fma_(power[b], t[b], spread(1.0f));
    BOTH power[b] = (V)((I)power[b] + (I)((U)shifted[b] << 23));
}

static inline void exponential(const V x[2], V made[2]) {
    V y[2];
    BOTH y[b] = x[b] * 1.44269504089f;
    power_of_two(y, made);
}

/* Within 1.1e-7, and within 2.4e-7 + 7.2e-8 |x| of its value, since x log2(e) is rounded. */
static inline void logistic(const V x[2], V made[2]) {
    V y[2], power[2];
    BOTH y[b] = x[b] * -1.44269504089f;
    power_of_two(y, power);
    BOTH made[b] = 1.0f / (1.0f + power[b]);
}

/* tanh |x| = (1 - e) / (1 + e) with e = exp(-2 |x|), and the sign of x: within 1.4e-7, which is not small beside tanh x
   near 0. */
static inline void hyperbolic_tangent(const V x[2], V made[2]) {
    V y[2], e[2];
    BOTH y[b] = (V)((U)x[b] | 0x80000000u) * 2.88539008178f;
    power_of_two(y, e);
    BOTH made[b] = (V)((U)((1.0f - e[b]) / (1.0f + e[b])) | ((U)x[b] & 0x80000000u));
}

/* Natural logarithm of x > 0: x = 2^k m with m from sqrt(1/2) to sqrt(2), log m = 2 atanh(s) with s = (m - 1) / (m + 1),
   at most 0.172 in size, by its series up to s^9. */
static inline void logarithm(const V x[2], V made[2]) {
    I k[2];
    V m[2], s[2], z[2], p[2];
    BOTH k[b] = ((I)x[b] - 0x3f3504f3) >> 23;
    BOTH m[b] = (V)((I)x[b] - (I)((U)k[b] << 23));
    BOTH s[b] = (m[b] - 1.0f) / (m[b] + 1.0f);
    BOTH z[b] = s[b] * s[b];
    /* series: 2 atanh(s) / s for 0 <= z = s^2 <= 0.02944, within 4.2e-9 */
    BOTH p[b] = fma_(spread(2.0f / 9.0f), z[b], spread(2.0f / 7.0f));
    BOTH p[b] = fma_(p[b], z[b], spread(2.0f / 5.0f));
    BOTH p[b] = fma_(p[b], z[b], spread(2.0f / 3.0f));
    BOTH p[b] = fma_(p[b], z[b], spread(2.0f));
    BOTH made[b] = where(x[b] == x[b], fma_(rounded(k[b]), spread(0.69314718056f), s[b] * p[b]), x[b]);
}

/* log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)): within 1.6e-7, or 2.4e-7 of its value. */
static inline void softplus(const V x[2], V made[2]) {
    V size[2], power[2], sum[2];
    BOTH size[b] = where(x[b] < 0.0f, x[b], -x[b]);
    exponential(size, power);
    BOTH sum[b] = 1.0f + power[b];
    logarithm(sum, power);
    BOTH made[b] = where(x[b] < 0.0f, spread(0.0f), x[b]) + power[b];
}

/* -- the equations of a unit --------------------------------------------------------------------------------------- */

#include "model.h"

/* -- products ------------------------------------------------------------------------------------------------------ */

static inline void add_scaled(V a, const float *y, V sum[NV]) {
    EACH_VECTOR sum[v] = fma_(a, load(y + v * W), sum[v]);
}

/* sum += row i of M times y. Even and odd entries apart, so that eight sums hide the latency of a fused multiply-add;
   four weights by one load, each then spread over a vector, since loads are what this product waits for. */
static inline void add_row(const Sparse *M, int64_t i, const float *y, V sum[NV]) {
    V odd[NV] = {0};
    for (int64_t k = M->row[i]; k < M->row[i + 1]; k += 4) {
        V weights = four(M->value + k);
        const uint32_t *column = M->column + k;
        add_scaled(NTH(weights, 0), y + column[0], sum);
        add_scaled(NTH(weights, 1), y + column[1], odd);
        add_scaled(NTH(weights, 2), y + column[2], sum);
        add_scaled(NTH(weights, 3), y + column[3], odd);
    }
    EACH_VECTOR sum[v] += odd[v];
}

/* acc [16] += a b, trial l and then trial 16 + l. */
static inline void add_product(float *acc, const float *a, const float *b) {
    for (int h = 0; h < HALF; h++, acc += W, a += 2 * W, b += 2 * W)
        store(acc, fma_(load(a + W), load(b + W), fma_(load(a), load(b), load(acc))));
}

/* z [outputs][32] = W_out R + b_out. */
static void readout(const Network *net, const float *R, float *z) {
    for (int64_t o = 0; o < net->outputs; o++) {
        V sum[NV];
        EACH_VECTOR sum[v] = spread(net->b_out[o]);
        for (int64_t j = 0; j < net->n; j++) {
            V a = spread(net->W_out[o * net->n + j]);
            EACH_VECTOR sum[v] = fma_(a, load(R + j * LANES + v * W), sum[v]);
        }
        EACH_VECTOR store(z + o * LANES + v * W, sum[v]);
    }
}

/* -- between [trials][count] in Python and [count][32] here; lanes beyond the last trial hold 0 -------------------- */

static int there(const Slice *job, int lane) { return job->slice * LANES + trial_of(lane) < job->trials; }

static void pack(const Slice *job, const float *rows, int64_t t, int64_t count, float *packed) {
    rows += (t * job->trials + job->slice * LANES) * count;
    memset(packed, 0, count * LANES * sizeof *packed);
    for (int lane = 0; lane < LANES; lane++)
        for (int64_t i = 0; i < count && there(job, lane); i++) packed[i * LANES + lane] = rows[trial_of(lane) * count + i];
}

static void unpack(const Slice *job, const float *packed, int64_t t, int64_t count, float *rows) {
    if (!rows) return;
    rows += (t * job->trials + job->slice * LANES) * count;
    for (int lane = 0; lane < LANES; lane++)
        for (int64_t i = 0; i < count && there(job, lane); i++) rows[trial_of(lane) * count + i] = packed[i * LANES + lane];
}

/* -- forward ------------------------------------------------------------------------------------------------------- */

/* The states, rates and what the synapses carry before the first step. A state's layer [n][32] follows the one before. */
static void start(const Network *net, const Slice *job, float *y, float *R, float *S) {
    int64_t layer = net->n * LANES;
    for (int k = 0; k < STATES; k++)
        for (int64_t i = 0; i < layer; i++) y[k * layer + i] = net->start[i / LANES * STATES + k];
    if (job->x0) pack(job, job->x0, 0, net->n, y);
    for (int64_t i = 0; i < layer; i += 2 * W) {
        V states[STATES][2], kept[2], r[2], s[2];
        for (int k = 0; k < STATES; k++) BOTH states[k][b] = load(y + k * layer + i + b * W);
        fire(net->coefficients + i / LANES * COEFFICIENTS, states, kept, r);
        BOTH store(R + i + b * W, r[b]);
        if (SENDS_RATE) continue;
        transmit(net->coefficients + i / LANES * COEFFICIENTS, states, r, s);
        BOTH store(S + i + b * W, s[b]);
    }
}

enum { ROWS = 8 }; /* units whose activations are taken together: many independent ones hide each other's latency */

/* One step of every unit: the states y are renewed in place; R_t and S_t are written, which are one where the synapses
   carry the rate. Where `kept` is wanted, what the adjoint needs of the activation and of the states is written too: past
   the caches, which it would only empty, since the backward pass comes to it much later. */
static void step(const Network *net, const Slice *job, Generator *g, const float *u, const float *R_before,
                 const float *S_before, float *y, float *kept, float *R, float *S) {
    int64_t layer = net->n * LANES;
    V s_post = spread(net->s_post);
    for (int64_t first = 0, last; first < net->n; first = last) {
        last = first + ROWS < net->n ? first + ROWS : net->n;
        for (int64_t i = first; i < last; i++) {
            V sum[NV], eta[NV] = {0};
            V c = spread(net->c[i]), noise = spread(net->noise[i]);
            for (int v = 0; v < NV; v += 2) {
                int64_t at = i * LANES + v * W;
                V states[STATES][2], r[2], next[STATES][2];
                for (int k = 0; k < STATES; k++) BOTH states[k][b] = load(y + k * layer + at + b * W);
                BOTH r[b] = load(R_before + at + b * W);
                carry(net->coefficients + i * COEFFICIENTS, states, r, c, next);
                BOTH sum[v + b] = next[0][b];
                for (int k = 1; k < STATES; k++) BOTH store(y + k * layer + at + b * W, next[k][b]);
            }
            for (int64_t k = 0; k < net->channels; k++) {
                V b = spread(net->B[i * net->channels + k]);
                EACH_VECTOR sum[v] = fma_(b, load(u + k * LANES + v * W), sum[v]);
            }
            if (job->noisy) {
                V xi[NV];
                for (int v = 0; v < NV; v += 2) pairs(g, v, xi + v, eta + v);
                EACH_VECTOR sum[v] = fma_(noise, xi[v], sum[v]);
            }
            EACH_VECTOR store(R + i * LANES + v * W, eta[v]);
            add_row(&net->A, i, S_before, sum);
            EACH_VECTOR store(y + i * LANES + v * W, sum[v]);
        }
        for (int64_t at = first * LANES; at < last * LANES; at += 2 * W) {
            const float *coefficients = net->coefficients + at / LANES * COEFFICIENTS;
            V states[STATES][2], f[2], r[2], s[2];
            for (int k = 0; k < STATES; k++) BOTH states[k][b] = load(y + k * layer + at + b * W);
            fire(coefficients, states, f, r);
            if (kept) {
                BOTH stream(kept + at + b * W, f[b]);
                for (int k = 0; k < KEPT; k++) BOTH stream(kept + (k + 1) * layer + at + b * W, states[kept_state[k]][b]);
            }
            BOTH r[b] = fma_(s_post, load(R + at + b * W), r[b]);
            BOTH store(R + at + b * W, r[b]);
            if (SENDS_RATE) continue;
            transmit(coefficients, states, r, s);
            BOTH store(S + at + b * W, s[b]);
        }
    }
}

void ctrnn_forward(const Network *net, const Slice *job) {
    int64_t layer = net->n * LANES;
    float *y = job->workspace, *R = y + STATES * layer, *R_before = R + layer;
    float *S = SENDS_RATE ? R : R_before + layer, *S_before = SENDS_RATE ? R_before : S + layer;
    float *u = R_before + (SENDS_RATE ? 1 : 3) * layer, *z = u + net->channels * LANES;
    Generator g;
    seed(&g, job->key, job->slice);
    start(net, job, y, R_before, S_before);
    for (int64_t t = 0; t < job->T; t++) {
        pack(job, job->inputs, t, net->channels, u);
        step(net, job, &g, u, R_before, S_before, y, NULL, R, S);
        readout(net, R, z);
        unpack(job, R, t, net->n, job->rates);
        unpack(job, y, t, net->n, job->x);
        unpack(job, z, t, net->outputs, job->z);
        float *swap = R;
        R = R_before, R_before = swap;
        swap = S;
        S = S_before, S_before = swap;
    }
}

/* -- backward ------------------------------------------------------------------------------------------------------ */

/* acc [16] += a of trial l and then of trial 16 + l, of the vectors v and v + 1. */
static inline void add_pair(float *acc, int v, const V a[2]) {
    float *half = acc + v / 2 * W;
    store(half, load(half) + a[0] + a[1]);
}

/* dL/dy_t from dL/dy_{t+1}. That of the first state is g, whose layer of the step after is g_after; those of the other
   states stand in `others`, one layer after the other, and are renewed in place. To dL/dR_t and dL/dS_t add

       W_out' dz_t + 2 penalty R_t          and          A' g_{t+1},

   which go into one sum where the synapses carry the rate. Where parameters are trained, `y` has all states y_t, and to
   dp [n][TRAINABLE][16] is added what the parameters do by way of the coefficients. */
static void step_back(const Network *net, const float *kept, const float *R, const float *dz, const float *g_after,
                      const V penalty[NV], int penalised, const float *y, float *dp, float *others, float *g) {
    int64_t layer = net->n * LANES;
    for (int64_t i = 0; i < net->n; i++) {
        V sum[NV] = {0}, sum_s[NV] = {0};
        int64_t at = i * LANES;
        for (int l = 0; l < LANES; l += 16) { /* the rows of the next step back come from far */
            for (int k = 0; k <= KEPT; k++) __builtin_prefetch(kept + at + (k - KEPT - 1) * layer + l);
            __builtin_prefetch(R + at - layer + l);
        }
        for (int64_t o = 0; o < net->outputs; o++) {
            V a = spread(net->W_out[o * net->n + i]);
            EACH_VECTOR sum[v] = fma_(a, load(dz + o * LANES + v * W), sum[v]);
        }
        if (penalised) EACH_VECTOR sum[v] = fma_(penalty[v], load(R + at + v * W), sum[v]);
        add_row(&net->A_transposed, i, g_after, SENDS_RATE ? sum : sum_s);
        for (int v = 0; v < NV; v += 2, at += 2 * W) {
            V f[2], r[2], states[STATES][2], after[STATES][2], made[STATES][2];
            BOTH f[b] = load(kept + at + b * W);
            BOTH r[b] = load(R + at + b * W);
            for (int k = 0; k < KEPT; k++) BOTH states[kept_state[k]][b] = load(kept + (k + 1) * layer + at + b * W);
            BOTH after[0][b] = load(g_after + at + b * W);
            for (int k = 1; k < STATES; k++) BOTH after[k][b] = load(others + (k - 1) * layer + at + b * W);
            adjoint(net->coefficients + i * COEFFICIENTS, f, r, states, after, sum + v, sum_s + v, made);
            if (y) {
                V d[TRAINABLE][2];
                for (int k = 0; k < STATES; k++) BOTH states[k][b] = load(y + k * layer + at + b * W);
                by_parameter(net->coefficients + i * COEFFICIENTS, f, r, states, after, sum + v, sum_s + v, d);
                for (int k = 0; k < TRAINABLE; k++) add_pair(dp + (i * TRAINABLE + k) * 16, v, d[k]);
            }
            BOTH store(g + at + b * W, made[0][b]);
            for (int k = 1; k < STATES; k++) BOTH store(others + (k - 1) * layer + at + b * W, made[k][b]);
        }
    }
}

/* acc [n][16] += g_t xi_t, with the normals of step t drawn once more. */
static void add_noise(const Network *net, const float *generator, const float *g, float *acc) {
    Generator of_step;
    memcpy(&of_step, generator, sizeof of_step);
    for (int64_t i = 0; i < net->n; i++, g += LANES, acc += 16)
        for (int v = 0; v < NV; v += 2) {
            V xi[2], eta[2];
            pairs(&of_step, v, xi, eta);
            BOTH xi[b] *= load(g + (v + b) * W);
            add_pair(acc, v, xi);
        }
}

/* What adjoint needs of the states before the first step. */
static void keep_start(const Network *net, const float *y, float *kept) {
    int64_t layer = net->n * LANES;
    for (int64_t i = 0; i < layer; i += 2 * W) {
        V states[STATES][2], f[2], r[2];
        for (int k = 0; k < STATES; k++) BOTH states[k][b] = load(y + k * layer + i + b * W);
        fire(net->coefficients + i / LANES * COEFFICIENTS, states, f, r);
        BOTH store(kept + i + b * W, f[b]);
        for (int k = 0; k < KEPT; k++) BOTH store(kept + (k + 1) * layer + i + b * W, states[kept_state[k]][b]);
    }
}

/* The gradient of A is the sum of g_t S_{t-1}' over time, trials and slices, at existing synapses only.

   The ring. It has STEPS layers [unit][32]. While step t is taken back, layer `held` becomes its g; the layer before,
   the last one where held is 0, has that of step t + 1. At the first step back this is 0, as g behind the last step is.
   When the ring is full, layer s has g of step t + STEPS - 1 - s, and goes with layer t + STEPS - 1 - s of Ss, which is
   S from before that step. One sweep over the weights then adds STEPS steps: a weight's sum is loaded and stored once
   for them. The steps that are left at t = 0 are added one by one, in the same order.

   The tiles. They go through each entry of A once. The entries of a tile have one row, whose g of all steps stays in
   2 STEPS registers. The tiles of a block of 40 columns follow each other: the columns' S of all steps, at most 30 KiB,
   stays in the first cache. Each entry has a sum of its own, so the order of entries decides no bit. */

enum { STEPS = 6 };

/* acc += g S for `entries` neighbouring entries at once, since the sums of one wait for each other. S[s] is the layer
   that goes with step s. */
static inline __attribute__((always_inline)) void add_entries(const V g[], const float *const S[], const int steps,
                                                              const uint32_t *column, const int entries, float *acc) {
    V sum[4];
    for (int e = 0; e < entries; e++) sum[e] = load(acc + e * W);
    for (int s = 0; s < steps; s++)
        BOTH for (int e = 0; e < entries; e++) sum[e] = fma_(g[2 * s + b], load(S[s] + column[e] + b * W), sum[e]);
    for (int e = 0; e < entries; e++) store(acc + e * W, sum[e]);
}

/* acc += g_t S_{t-1}' for `steps` steps: `g` and `S_last` are the layers of the last of them; those of the steps before
   follow behind g, and stand before S_last. acc [half][entry of the tiles][W]: a lane of acc has the sum of two trials,
   16 apart. */
static inline __attribute__((always_inline)) void add_outer(const Network *net, const float *g, const float *S_last,
                                                            const int steps, float *acc) {
    int64_t layer = net->n * LANES;
    const float *S[STEPS];
    for (int h = 0; h < HALF; h++, acc += net->entries * W, g += 2 * W, S_last += 2 * W) {
        for (int s = 0; s < steps; s++) S[s] = S_last - s * layer;
        for (int64_t tile = 0; tile < net->tiles; tile++) {
            V row[2 * STEPS];
            for (int s = 0; s < steps; s++)
                BOTH row[2 * s + b] = load(g + s * layer + net->tile_row[tile] + b * W);
            int64_t k = net->tile_begin[tile], end = net->tile_begin[tile + 1];
            for (; k + 4 <= end; k += 4) add_entries(row, S, steps, net->tile_column + k, 4, acc + k * W);
            for (; k + 2 <= end; k += 2) add_entries(row, S, steps, net->tile_column + k, 2, acc + k * W);
            for (; k < end; k++) add_entries(row, S, steps, net->tile_column + k, 1, acc + k * W);
        }
    }
}

/* Sum of each entry's 16 lanes, in order; W neighbours, then those `between` floats on. */
static void sum_lanes(const float *acc, int64_t count, int64_t apart, int64_t between, float *sums) {
    for (int64_t k = 0; k < count; k++) {
        float sum = 0.0f;
        for (int h = 0; h < HALF; h++)
            for (int lane = 0; lane < W; lane++) sum += acc[k * apart + h * between + lane];
        sums[k] = sum;
    }
}

typedef struct { int64_t y, u, dz, kept, R, S, g, others, dA, dB, dc, dW_out, db_out, dp, dnoise, dstart, end, ys, generators; } Layout;

enum { GENERATOR = sizeof(Generator) / sizeof(float) };

/* Where each array of a slice begins in its workspace. Behind `end` stand arrays that only parameters in training need:
   the states [T + 1][state][n][32] and each step's generator. */
static Layout layout(const Network *net, int64_t T) {
    int64_t layer = net->n * LANES;
    Layout at = {0};
    at.u = at.y + STATES * layer;
    at.dz = at.u + T * net->channels * LANES;
    at.kept = at.dz + T * net->outputs * LANES;
    at.R = at.kept + T * (KEPT + 1) * layer;
    at.S = SENDS_RATE ? at.R : at.R + (T + 1) * layer;
    at.g = at.S + (T + 1) * layer;
    at.others = at.g + STEPS * layer;
    at.dA = at.others + (STATES - 1) * layer;
    at.dB = at.dA + net->entries * 16;
    at.dc = at.dB + net->n * net->channels * 16;
    at.dW_out = at.dc + net->n * 16;
    at.db_out = at.dW_out + net->outputs * net->n * 16;
    at.dp = at.db_out + net->outputs * 16;
    at.dnoise = at.dp + net->n * TRAINABLE * 16;
    at.dstart = at.dnoise + net->n * 16;
    at.end = at.ys = at.dstart + net->n * STATES * 16;
    at.generators = at.ys + (T + 1) * STATES * layer;
    return at;
}

/* Floats that a slice of T steps needs, and with parameters in training; T = 0 for the forward pass alone. */
int64_t ctrnn_workspace(const Network *net, int64_t T, int64_t parameters) {
    if (!T) return ((STATES + (SENDS_RATE ? 2 : 4)) * net->n + net->channels + net->outputs) * LANES;
    Layout at = layout(net, T);
    return parameters ? at.generators + T * GENERATOR : at.end;
}

/* z_t becomes dL/dz_t = 2 mask (z - y) / sum(mask), and the lanes' losses grow; without targets it is given. */
static void loss_of_step(const Network *net, const Slice *job, int64_t t, float *z, double squares[LANES]) {
    float scale = (float)(2.0 * job->scale);
    for (int lane = 0; lane < LANES; lane++)
        for (int64_t o = 0; o < net->outputs; o++) {
            int trial = trial_of(lane), counts = there(job, lane);
            int64_t at = (t * job->trials + job->slice * LANES + trial) * net->outputs + o;
            if (!job->targets) {
                z[o * LANES + lane] = counts ? job->mask[at] : 0.0f;
                continue;
            }
            float error = counts ? z[o * LANES + lane] - job->targets[at] : 0.0f, mask = counts ? job->mask[at] : 0.0f;
            squares[trial] += (double)mask * ((double)error * (double)error);
            z[o * LANES + lane] = scale * (mask * error);
        }
}

void ctrnn_gradients(const Network *net, const Slice *job) {
    int64_t n = net->n, layer = n * LANES, T = job->T;
    Layout at = layout(net, T);
    float *w = job->workspace, *y = w + at.y, *us = w + at.u, *dzs = w + at.dz, *kept = w + at.kept;
    float *Rs = w + at.R, *Ss = w + at.S, *ring = w + at.g, *others = w + at.others;
    float *dA = w + at.dA, *dB = w + at.dB, *dc = w + at.dc, *dW_out = w + at.dW_out, *db_out = w + at.db_out;
    float *dp = w + at.dp, *dnoise = w + at.dnoise, *dstart = w + at.dstart, *generators = w + at.generators;
    float *ys = job->dp ? w + at.ys : NULL;
    double squares[LANES] = {0}, rates_squared[LANES] = {0};
    memset(dA, 0, (at.end - at.dA) * sizeof *dA);

    /* All of time forward, keeping what the way back needs; then z, and the loss's gradient with respect to it. */
    Generator generator;
    seed(&generator, job->key, job->slice);
    start(net, job, y, Rs, Ss);
    if (ys) memcpy(ys, y, STATES * layer * sizeof *ys);
    for (int64_t t = 0; t < T; t++) {
        float *u = us + t * net->channels * LANES, *R = Rs + (t + 1) * layer, *dz = dzs + t * net->outputs * LANES;
        if (ys) memcpy(generators + t * GENERATOR, &generator, sizeof generator);
        pack(job, job->inputs, t, net->channels, u);
        step(net, job, &generator, u, R - layer, Ss + t * layer, y, kept + t * (KEPT + 1) * layer, R, Ss + (t + 1) * layer);
        if (ys) memcpy(ys + (t + 1) * STATES * layer, y, STATES * layer * sizeof *ys);
        readout(net, R, dz);
        loss_of_step(net, job, t, dz, squares);
    }

    V penalty[NV];
    float of_lane[LANES];
    for (int lane = 0; lane < LANES; lane++) of_lane[lane] = there(job, lane) ? (float)(2.0 * job->rate_penalty) : 0.0f;
    memcpy(penalty, of_lane, sizeof penalty);

    /* All of time backward. Behind the ring stand the other states' gradients. */
    memset(ring, 0, (STEPS + STATES - 1) * layer * sizeof *ring);
    static const float ones[LANES] __attribute__((aligned(64))) = {
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    int held = 0;
    for (int64_t t = T - 1; t >= 0; t--) {
        const float *R = Rs + (t + 1) * layer, *dz = dzs + t * net->outputs * LANES;
        const float *u = us + t * net->channels * LANES;
        float *g = ring + held * layer, *g_after = ring + (held ? held - 1 : STEPS - 1) * layer;
        step_back(net, kept + t * (KEPT + 1) * layer, R, dz, g_after, penalty, job->rate_penalty != 0.0,
                  ys ? ys + (t + 1) * STATES * layer : NULL, dp, others, g);
        held++;
        if (ys && job->noisy) add_noise(net, generators + t * GENERATOR, g, dnoise);
        if (job->dW_out)
            for (int64_t o = 0; o < net->outputs; o++)
                for (int64_t i = 0; i < n; i++)
                    add_product(dW_out + (o * n + i) * 16, dz + o * LANES, R + i * LANES);
        if (job->dB)
            for (int64_t i = 0; i < n; i++)
                for (int64_t k = 0; k < net->channels; k++)
                    add_product(dB + (i * net->channels + k) * 16, g + i * LANES, u + k * LANES);
        if (job->dc)
            for (int64_t i = 0; i < n; i++) add_product(dc + i * 16, g + i * LANES, ones);
        if (job->db_out)
            for (int64_t o = 0; o < net->outputs; o++) add_product(db_out + o * 16, dz + o * LANES, ones);
        if (job->rate_penalty != 0.0)
            for (int64_t i = 0; i < layer; i++) rates_squared[trial_of(i % LANES)] += (double)R[i] * (double)R[i];
        if (job->dA && held == STEPS) add_outer(net, ring, Ss + (t + STEPS - 1) * layer, STEPS, dA);
        if (held == STEPS) held = 0;
        for (int s = 0; job->dA && t == 0 && s < held; s++)
            add_outer(net, ring + s * layer, Ss + (held - 1 - s) * layer, 1, dA);
    }

    /* Back once more, to the states before the first step, which no output reads. */
    if (ys) {
        float *g = ring + held % STEPS * layer, *g_after = ring + (held + STEPS - 1) % STEPS * layer;
        keep_start(net, ys, kept);
        memset(dzs, 0, net->outputs * LANES * sizeof *dzs);
        step_back(net, kept, Rs, dzs, g_after, penalty, 0, ys, dp, others, g);
        for (int64_t i = 0; i < n; i++)
            for (int k = 0; k < STATES; k++)
                add_product(dstart + (i * STATES + k) * 16, (k ? others + (k - 1) * layer : g) + i * LANES, ones);
        sum_lanes(dp, n * TRAINABLE, 16, W, job->dp);
        sum_lanes(dnoise, n, 16, W, job->dnoise);
        sum_lanes(dstart, n * STATES, 16, W, job->dstart);
    }

    /* Lanes and then slices are summed in a fixed order. */
    job->loss[0] = job->loss[1] = 0.0;
    for (int lane = 0; lane < LANES; lane++) {
        int64_t trial = job->slice * LANES + lane;
        job->loss[0] += trial < job->trials ? squares[lane] : 0.0;
        job->loss[1] += trial < job->trials ? rates_squared[lane] : 0.0;
    }
    if (job->dA) sum_lanes(dA, net->entries, W, net->entries * W, job->dA);
    if (job->dB) sum_lanes(dB, n * net->channels, 16, W, job->dB);
    if (job->dc) sum_lanes(dc, n, 16, W, job->dc);
    if (job->dW_out) sum_lanes(dW_out, net->outputs * n, 16, W, job->dW_out);
    if (job->db_out) sum_lanes(db_out, net->outputs, 16, W, job->db_out);
}

/* -- weights into the sparse form, gradients out of it ------------------------------------------------------------- */

/* value[k] = gain_i relu(W_ij) sign_j (or gain_i W_ij) of the synapse that `source` names; -1 names an added 0. */
void ctrnn_effective(int64_t n, int64_t count, const int32_t *source, const float *W_rec, const float *gain,
                     const float *sign, int64_t dale, float *value) {
    for (int64_t k = 0; k < count; k++) {
        value[k] = 0.0f;
        if (source[k] < 0) continue;
        uint32_t at = source[k], i = at / (uint32_t)n, j = at % (uint32_t)n;
        float w = W_rec[at];
        if (dale) w = w < 0.0f ? 0.0f : w * sign[j];
        value[k] = gain[i] * w;
    }
}

/* dW_rec [n][n], zeroed by the caller: relu'(0) = 0, so a vanished synapse stays so. */
void ctrnn_scatter(int64_t n, int64_t count, const int32_t *source, const float *dA, const float *W_rec,
                   const float *gain, const float *sign, int64_t dale, float *dW_rec) {
    for (int64_t k = 0; k < count; k++) {
        if (source[k] < 0) continue;
        uint32_t at = source[k], i = at / (uint32_t)n, j = at % (uint32_t)n;
        float d = gain[i] * dA[k];
        if (dale) d = W_rec[at] > 0.0f ? d * sign[j] : 0.0f;
        dW_rec[at] = d;
    }
}

/* The sum of an array, in order. */
double ctrnn_sum(const float *a, int64_t count) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++) sum += (double)a[i];
    return sum;
}

/* -- normals for everybody ----------------------------------------------------------------------------------------- */

/* The next normals of every lane, in the order of the trials: 32 of xi, 32 of eta. */
static inline void block_of(Generator *g, float block[2 * LANES]) {
    for (int v = 0; v < NV; v += 2) {
        V xi[2], eta[2];
        pairs(g, v, xi, eta);
        BOTH memcpy(block + first_trial(v + b), &xi[b], sizeof(V));
        BOTH memcpy(block + LANES + first_trial(v + b), &eta[b], sizeof(V));
    }
}

/* rows [trials][count]: each row is the stream of its own seed, blocks of 32 cosines (xi) and 32 sines (eta). */
void ctrnn_normals(const uint64_t *seeds, int64_t trials, int64_t count, float *rows) {
    for (int64_t row = 0; row < trials; row++, rows += count) {
        Generator g;
        seed(&g, seeds[row], 0);
        int64_t k = 0;
        for (; k + 2 * LANES <= count; k += 2 * LANES) block_of(&g, rows + k);
        float last[2 * LANES];
        block_of(&g, last);
        memcpy(rows + k, last, (count - k) * sizeof *rows);
    }
}

/* xi, eta [T][trials][n]: the normals that the forward pass of this slice uses. */
void ctrnn_noise(const Slice *job, int64_t n, float *xi, float *eta) {
    Generator g;
    seed(&g, job->key, job->slice);
    int64_t first = job->slice * LANES, last = first + LANES < job->trials ? first + LANES : job->trials;
    for (int64_t t = 0; t < job->T; t++)
        for (int64_t i = 0; i < n; i++) {
            float block[2 * LANES];
            block_of(&g, block);
            for (int64_t trial = first; trial < last; trial++) {
                int64_t at = (t * job->trials + trial) * n + i;
                xi[at] = block[trial - first];
                eta[at] = block[LANES + trial - first];
            }
        }
}

/* -- functions of the analyses, in double; no fma, so that the numpy definitions in elementary.py have the same bits -- */

/* Reductions and coefficients of FreeBSD's e_exp.c and e_log.c; the logistic function is within 4 units in the last
   place, the logarithm within 2. LN2 has zeros at its end, so that its product with a whole number is exact; LN2_REST
   is what it lacks. */
static const double LN2 = 0x1.62e42fee00000p-1, LN2_REST = 0x1.a39ef35793c76p-33, PER_LN2 = 0x1.71547652b82fep+0;

/* 1 / (1 + exp(-x)). The exponential is that of -|x| = k ln 2 + (high - low), where the difference is at most half of
   ln 2 in size, and k stands in the last bits of a sum. */
void ctrnn_logistic(const double *x, int64_t count, double *y) {
    for (int64_t i = 0; i < count; i++) {
        double a = -fabs(x[i]);
        a = a < -708.0 ? -708.0 : a; /* exp of less is no normal number */
        double shifted = a * PER_LN2 + 0x1.8p52, k = shifted - 0x1.8p52;
        double high = a - k * LN2, low = k * LN2_REST, r = high - low, z = r * r;
        /* exp: (r coth(r/2) - 2) / z for 0 <= z = r^2 <= 0.12011, where p z is within 2.1e-18 */
        double p = 0x1.6376972bea4d0p-25;
        p = p * z + -0x1.bbd41c5d26bf1p-20;
        p = p * z + 0x1.1566aaf25de2cp-14;
        p = p * z + -0x1.6c16c16bebd93p-9;
        p = p * z + 0x1.555555555553ep-3;
        double c = r - p * z, power = 1.0 - ((low - r * c / (2.0 - c)) - high);
        uint64_t bits, shift;
        memcpy(&bits, &power, sizeof bits);
        memcpy(&shift, &shifted, sizeof shift);
        bits += shift << 52;
        memcpy(&power, &bits, sizeof power);
        y[i] = (x[i] < 0.0 ? power : 1.0) / (1.0 + power);
    }
}

/* Natural logarithm of finite x >= 0: x = 2^k (1 + f) with 1 + f from sqrt(1/2) to sqrt(2). */
void ctrnn_log(const double *x, int64_t count, double *y) {
    for (int64_t i = 0; i < count; i++) {
        int power;
        double part = frexp(x[i], &power);
        int low = part < 0x1.6a09e667f3bcdp-1;
        double f = (low ? 2.0 * part : part) - 1.0, k = power - low;
        double s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
        /* log: (2 atanh(s) / s - 2) / z for 0 <= z = s^2 <= 0.02944, where p z is within 2.6e-18 */
        double p = 0x1.2f112df3e5244p-3;
        p = p * z + 0x1.39a09d078c69fp-3;
        p = p * z + 0x1.7466496cb03dep-3;
        p = p * z + 0x1.c71c51d8e78afp-3;
        p = p * z + 0x1.2492494229359p-2;
        p = p * z + 0x1.999999997fa04p-2;
        p = p * z + 0x1.5555555555593p-1;
        double found = k * LN2 - ((half - (s * (half + p * z) + k * LN2_REST)) - f);
        y[i] = x[i] == 0.0 ? -INFINITY : found;
    }
}
