/* Trains a network that `trained.py` hands over, as `trained.weights` does, and writes the trained weights and the
   last sums that gradients by parameters are made of: compiled for another instruction set and run there, or under an
   emulator, it must write the same bytes. */

#include "../../../src/ctrnn/kernel/kernel.c"

#include <stdio.h>
#include <stdlib.h>

static void *take(int64_t count, size_t size) {
    void *taken = aligned_alloc(64, (count * size + 64) / 64 * 64);
    if (fread(taken, size, count, stdin) != (size_t)count) exit(1);
    return taken;
}

/* A matrix's existing synapses; its values are computed from the weights. */
typedef struct { int64_t *row; uint32_t *column; int32_t *source; float *value; } Pattern;

static Pattern pattern(int64_t n, int64_t entries) {
    return (Pattern){take(n + 1, 8), take(entries, 4), take(entries, 4), malloc(entries * 4 + 4)};
}

typedef struct { int64_t count; float *w, *g, *m, *v; } Array; /* weights, gradient, Adam's moments */

static Array array(int64_t count) {
    return (Array){count, take(count, 4), calloc(count, 4), calloc(count, 4), calloc(count, 4)};
}

/* The sum over slices, one after the other. */
static void sum_slices(const float *parts, int64_t slices, int64_t count, float *sum) {
    memcpy(sum, parts, count * 4);
    for (int64_t s = 1; s < slices; s++)
        for (int64_t i = 0; i < count; i++) sum[i] += parts[s * count + i];
}

int main(void) {
    int64_t *size = take(11, 8), n = size[0], channels = size[1], outputs = size[2], T = size[3], trials = size[4];
    int64_t tiles = size[7], entries = size[8], slices = (trials + LANES - 1) / LANES;
    uint64_t *keys = take(size[10], 8);
    double *setting = take(6, 8); /* learning rate, beta_1, beta_2, epsilon, s_post, rate penalty */
    Pattern A = pattern(n, size[5]), A_transposed = pattern(n, size[6]);
    int64_t *tile_begin = take(tiles + 1, 8);
    uint32_t *tile_row = take(tiles, 4), *tile_column = take(entries, 4);
    int32_t *source = take(entries, 4);
    float *coefficients = take(n * COEFFICIENTS, 4), *first = take(n * STATES, 4);
    float *gain = take(n, 4), *noise = take(n, 4), *sign = take(n, 4);
    float *inputs = take(T * trials * channels, 4), *targets = take(T * trials * outputs, 4);
    float *mask = take(T * trials * outputs, 4);
    Array W_in = array(n * channels), W_out = array(outputs * n), W_rec = array(n * n), b_out = array(outputs);
    Array b_rec = array(n), *all[] = {&W_in, &W_out, &W_rec, &b_out, &b_rec};

    float *B = malloc(W_in.count * 4), *c = malloc(n * 4), *sum = malloc(entries * 4 + 4);
    float *dA = malloc(slices * entries * 4 + 4), *dB = malloc(slices * W_in.count * 4), *dc = malloc(slices * n * 4);
    float *dW_out = malloc(slices * W_out.count * 4), *db_out = malloc(slices * outputs * 4), *workspace = NULL;
    int64_t by[] = {n * TRAINABLE, n, n * STATES}; /* by way of the coefficients, of the noise, of the start */
    float *of_units[3], *sum_of_units[3];
    for (int k = 0; k < 3; k++) of_units[k] = malloc(slices * by[k] * 4 + 4), sum_of_units[k] = malloc(by[k] * 4 + 4);
    double beta_1_power = 1.0, beta_2_power = 1.0;
    for (int64_t iteration = 0; iteration < size[10]; iteration++) {
        for (int64_t i = 0; i < W_in.count; i++) B[i] = gain[i / channels] * W_in.w[i];
        for (int64_t i = 0; i < n; i++) c[i] = gain[i] * b_rec.w[i];
        ctrnn_effective(n, size[5], A.source, W_rec.w, gain, sign, size[9], A.value);
        ctrnn_effective(n, size[6], A_transposed.source, W_rec.w, gain, sign, size[9], A_transposed.value);
        Network net = {n, channels, outputs, coefficients, first, B, c, noise, W_out.w, b_out.w, (float)setting[4],
                       {A.row, A.column, A.value}, {A_transposed.row, A_transposed.column, A_transposed.value},
                       tiles, entries, tile_begin, tile_row, tile_column};
        if (!workspace) workspace = aligned_alloc(64, (ctrnn_workspace(&net, T, 1) * 4 + 63) / 64 * 64);
        for (int64_t s = 0; s < slices; s++) {
            double loss[2];
            Slice job = {.T = T, .trials = trials, .slice = s, .noisy = 1, .key = keys[iteration], .inputs = inputs,
                         .targets = targets, .mask = mask, .scale = 1 / ctrnn_sum(mask, T * trials * outputs),
                         .rate_penalty = setting[5] / (double)(T * trials * n), .dA = dA + s * entries,
                         .dB = dB + s * W_in.count, .dc = dc + s * n, .dW_out = dW_out + s * W_out.count,
                         .db_out = db_out + s * outputs, .dp = of_units[0] + s * by[0],
                         .dnoise = of_units[1] + s * by[1], .dstart = of_units[2] + s * by[2], .loss = loss,
                         .workspace = workspace};
            ctrnn_gradients(&net, &job);
        }
        sum_slices(dA, slices, entries, sum);
        ctrnn_scatter(n, entries, source, sum, W_rec.w, gain, sign, size[9], W_rec.g);
        sum_slices(dB, slices, W_in.count, W_in.g);
        for (int64_t i = 0; i < W_in.count; i++) W_in.g[i] *= gain[i / channels];
        sum_slices(dc, slices, n, b_rec.g);
        for (int64_t i = 0; i < n; i++) b_rec.g[i] *= gain[i];
        sum_slices(dW_out, slices, W_out.count, W_out.g);
        sum_slices(db_out, slices, outputs, b_out.g);
        for (int k = 0; k < 3; k++) sum_slices(of_units[k], slices, by[k], sum_of_units[k]);

        beta_1_power *= setting[1], beta_2_power *= setting[2];
        float rate = (float)(setting[0] / (1 - beta_1_power)), unbias = (float)(1 / (1 - beta_2_power));
        float beta_1 = (float)setting[1], beta_2 = (float)setting[2], epsilon = (float)setting[3];
        float rest_1 = (float)(1 - setting[1]), rest_2 = (float)(1 - setting[2]);
        for (int a = 0; a < 5; a++)
            for (int64_t i = 0; i < all[a]->count; i++) {
                float g = all[a]->g[i], *m = all[a]->m + i, *v = all[a]->v + i;
                *m = beta_1 * *m + rest_1 * g;
                *v = beta_2 * *v + rest_2 * (g * g);
                all[a]->w[i] -= rate * *m / (sqrtf(*v * unbias) + epsilon);
            }
    }
    for (int a = 0; a < 5; a++) fwrite(all[a]->w, 4, all[a]->count, stdout);
    for (int k = 0; k < 3; k++) fwrite(sum_of_units[k], 4, by[k], stdout);
    return 0; /* which frees what is left */
}
