/* A training step on numbers made here, and a hash of all that it returns: compiled for another instruction set and
   run there (or under an emulator), it must print the same line. */

#include "../../../src/ctrnn/kernel/kernel.c"

#include <stdio.h>
#include <stdlib.h>

enum { N = 21, CHANNELS = 3, OUTPUTS = 2, STEPS_IN_ALL = 19, TRIALS = 37 };

static uint32_t dice = 1;
static float number(void) {
    dice = dice * 1664525u + 1013904223u;
    return (float)(int32_t)dice * 0x1p-31f;
}

static float *numbers(int64_t count) {
    float *made = malloc(count * sizeof *made);
    for (int64_t i = 0; i < count; i++) made[i] = number();
    return made;
}

static uint64_t hash = 0xcbf29ce484222325u;
static void take(const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
}

int main(void) {
    int64_t row[N + 1] = {0}, tile_begin[N + 1];
    uint32_t column[N * N + 4 * N], tile_row[N], tile_column[N * N];
    float value[N * N + 4 * N], coefficients[N * (COEFFICIENTS + 1)], start[N * STATES], noise[N];
    int64_t k = 0, entries = 0;
    for (int i = 0; i < N; i++) {
        row[i] = k, tile_begin[i] = entries, tile_row[i] = i * LANES;
        for (int j = 0; j < COEFFICIENTS; j++) coefficients[i * COEFFICIENTS + j] = 0.9f + 0.05f * number();
        for (int j = 0; j < STATES; j++) start[i * STATES + j] = 0.5f * number();
        noise[i] = 0.1f;
        for (int j = 0; j < N; j++)
            if ((i * 7 + j * 5) % 3 == 0) {
                tile_column[entries++] = j * LANES;
                column[k] = j * LANES, value[k++] = 0.3f * number();
            }
        for (; k % 4; k++) column[k] = 0, value[k] = 0.0f;
    }
    row[N] = k, tile_begin[N] = entries;

    float *B = numbers(N * CHANNELS), *c = numbers(N), *W_out = numbers(OUTPUTS * N), *b_out = numbers(OUTPUTS);
    float *inputs = numbers(STEPS_IN_ALL * TRIALS * CHANNELS), *targets = numbers(STEPS_IN_ALL * TRIALS * OUTPUTS);
    float *mask = numbers(STEPS_IN_ALL * TRIALS * OUTPUTS);
    Sparse A = {row, column, value}; /* its own transpose's pattern is not needed for a test of arithmetic */
    Network net = {N, CHANNELS, OUTPUTS, coefficients, start, B, c, noise, W_out, b_out, 0.05f, A, A,
                   N, entries, tile_begin, tile_row, tile_column};
    float *workspace = aligned_alloc(64, (ctrnn_workspace(&net, STEPS_IN_ALL) * sizeof(float) + 63) / 64 * 64);
    for (int slice = 0; slice < 2; slice++) {
        float dA[N * N], dB[N * CHANNELS], dc[N], dW_out[OUTPUTS * N], db_out[OUTPUTS];
        double loss[2];
        Slice job = {.T = STEPS_IN_ALL, .trials = TRIALS, .slice = slice, .noisy = 1, .key = 0x123456789abcdefu,
                     .inputs = inputs, .targets = targets, .mask = mask, .scale = 0.001, .rate_penalty = 1e-4,
                     .dA = dA, .dB = dB, .dc = dc, .dW_out = dW_out, .db_out = db_out, .loss = loss,
                     .workspace = workspace};
        ctrnn_gradients(&net, &job);
        take(dA, entries * sizeof *dA), take(dB, sizeof dB), take(dc, sizeof dc);
        take(dW_out, sizeof dW_out), take(db_out, sizeof db_out), take(loss, sizeof loss);
    }
    free(workspace);
    printf("%016llx\n", (unsigned long long)hash);
    free(B), free(c), free(W_out), free(b_out), free(inputs), free(targets), free(mask);
    return 0;
}
