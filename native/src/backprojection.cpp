// Pulses added to tiles of pixels: the inner loop of exact backprojection, for processors with wide vectors.
//
// The same sums as `kizuna.sar.backprojection_kernels.add_tiles`, argument for argument. One body is written for vectors of W
// lanes and compiled for each kind of processor; which one runs is decided when the library is first called.
#include <cmath>
#include <cstdint>
#include <cstring>

// A test compiles the sixteen lanes for a processor without AVX-512, to hold them to the same sums there.
#ifndef KIZUNA_WIDE_TARGET
#define KIZUNA_WIDE_TARGET "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"
#endif

#define INLINE static inline __attribute__((always_inline))

namespace {

template <int W> struct Lanes {
    typedef float F __attribute__((vector_size(4 * W)));
    typedef int32_t I __attribute__((vector_size(4 * W)));
};
typedef float F4 __attribute__((vector_size(16)));
typedef float F4u __attribute__((vector_size(16), aligned(4)));

struct Job {
    float *image;
    int64_t rows, cols, begin, end;
    const double *centres;
    const float *offsets;
    int64_t sets, side;
    const double *antennas, *references;
    int64_t pulses;
    const float *profiles;
    int64_t stride;
    const int64_t *first;
    double step_m, cycles_m;
};

// cos(2 pi x) and sin(2 pi x) / x as polynomials in x^2 for |x| <= 1/2, of least greatest error: 4e-5 and 6e-6.
constexpr float C0 = 0.9999598f, C1 = -19.73104175f, C2 = 64.6734317f, C3 = -82.40355228f, C4 = 45.64655792f;
constexpr float S0 = 6.28305672f, S1 = -41.3312518f, S2 = 81.36728057f, S3 = -74.48025998f, S4 = 32.78515046f;
constexpr float ROUNDER = 12582912.0f;  // 1.5 * 2^23: x + ROUNDER - ROUNDER is x rounded to a whole number
constexpr double DOUBLE_ROUNDER = 6755399441055744.0;  // 1.5 * 2^52
constexpr int MOST_SIDE = 64;

INLINE F4 at(const float *samples, uint32_t index) { return *reinterpret_cast<const F4u *>(samples + index); }

#define JOIN4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#define JOIN8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define PAIR(k) JOIN4(at(samples, index[k]), at(samples, index[k + 4]))

// Two neighbouring complex samples (four floats) for each of W pixels, turned into four vectors.
template <int W>
INLINE void fetch(const float *samples, const uint32_t *index, typename Lanes<W>::F &nr, typename Lanes<W>::F &ni,
                  typename Lanes<W>::F &fr, typename Lanes<W>::F &fi) {
    typedef typename Lanes<W>::F F;
    F a, b, c, d;
    if constexpr (W == 4) {
        a = at(samples, index[0]), b = at(samples, index[1]), c = at(samples, index[2]), d = at(samples, index[3]);
    } else if constexpr (W == 8) {
        a = PAIR(0), b = PAIR(1), c = PAIR(2), d = PAIR(3);
    } else {
        a = JOIN8(PAIR(0), PAIR(8)), b = JOIN8(PAIR(1), PAIR(9)), c = JOIN8(PAIR(2), PAIR(10)), d = JOIN8(PAIR(3), PAIR(11));
    }
    // Transpose 4 x 4 within each group of four lanes.
    if constexpr (W == 4) {
        F p = __builtin_shufflevector(a, b, 0, 4, 1, 5), q = __builtin_shufflevector(a, b, 2, 6, 3, 7);
        F r = __builtin_shufflevector(c, d, 0, 4, 1, 5), s = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        nr = __builtin_shufflevector(p, r, 0, 1, 4, 5), ni = __builtin_shufflevector(p, r, 2, 3, 6, 7);
        fr = __builtin_shufflevector(q, s, 0, 1, 4, 5), fi = __builtin_shufflevector(q, s, 2, 3, 6, 7);
    } else if constexpr (W == 8) {
        F p = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13), q = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
        F r = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13), s = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
        nr = __builtin_shufflevector(p, r, 0, 1, 8, 9, 4, 5, 12, 13), ni = __builtin_shufflevector(p, r, 2, 3, 10, 11, 6, 7, 14, 15);
        fr = __builtin_shufflevector(q, s, 0, 1, 8, 9, 4, 5, 12, 13), fi = __builtin_shufflevector(q, s, 2, 3, 10, 11, 6, 7, 14, 15);
    } else {
        F p = __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        F q = __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
        F r = __builtin_shufflevector(c, d, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        F s = __builtin_shufflevector(c, d, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
        nr = __builtin_shufflevector(p, r, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        ni = __builtin_shufflevector(p, r, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        fr = __builtin_shufflevector(q, s, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        fi = __builtin_shufflevector(q, s, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
}

// W neighbouring samples of a profile, and the step from each to the next, in registers: pixels whose ranges lie close together
// take theirs from here by permutation, with no further loads.
template <int W> struct Window {
    typedef typename Lanes<W>::F F;
    F real, imaginary, real_step, imaginary_step;

    static inline __attribute__((always_inline)) Window take(const float *samples) {
        typedef typename Lanes<W>::I I;
        typedef F Fu __attribute__((aligned(4)));
        Window w;
        const F a = *(const Fu *)samples, b = *(const Fu *)(samples + W);
        if constexpr (W == 4) {
            w.real = __builtin_shufflevector(a, b, 0, 2, 4, 6), w.imaginary = __builtin_shufflevector(a, b, 1, 3, 5, 7);
        } else if constexpr (W == 8) {
            const I natural = {0, 1, 4, 5, 2, 3, 6, 7};
            w.real = __builtin_shuffle(__builtin_shufflevector(a, b, 0, 2, 8, 10, 4, 6, 12, 14), natural);
            w.imaginary = __builtin_shuffle(__builtin_shufflevector(a, b, 1, 3, 9, 11, 5, 7, 13, 15), natural);
        } else {
            const I even = {0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30};
            w.real = __builtin_shuffle(a, b, even), w.imaginary = __builtin_shuffle(a, b, even + 1);
        }
        I following;
        for (int k = 0; k < W; ++k) following[k] = k + 1 < W ? k + 1 : k;
        w.real_step = __builtin_shuffle(w.real, following) - w.real;
        w.imaginary_step = __builtin_shuffle(w.imaginary, following) - w.imaginary;
        return w;
    }
};

// What one pulse adds to W pixels, given the interpolated echo and the carrier's phase in cycles.
template <int W>
INLINE void turn_and_add(typename Lanes<W>::F vr, typename Lanes<W>::F vi, typename Lanes<W>::F phase, float *real,
                         float *imaginary) {
    typedef typename Lanes<W>::F F;
    typedef F Fu __attribute__((aligned(4)));
    phase -= (phase + ROUNDER) - ROUNDER;
    const F s = phase * phase, ss = s * s;
    // Estrin's order: shorter chains than Horner's, and the chain is what takes the time.
    const F cosine = (C0 + s * C1) + ss * ((C2 + s * C3) + ss * C4);
    const F sine = phase * ((S0 + s * S1) + ss * ((S2 + s * S3) + ss * S4));
    *(Fu *)real += vr * cosine - vi * sine;
    *(Fu *)imaginary += vr * sine + vi * cosine;
}

template <int W> INLINE void gather_and_add(const float *samples, typename Lanes<W>::F at, typename Lanes<W>::F phase, float *real,
                                            float *imaginary) {
    typedef typename Lanes<W>::F F;
    typedef typename Lanes<W>::I I;
    const I lower = __builtin_convertvector(at, I);
    const F fraction = at - __builtin_convertvector(lower, F);
    alignas(4 * W) uint32_t index[W];
    *reinterpret_cast<I *>(index) = lower + lower;
    F nr, ni, fr, fi;
    fetch<W>(samples, index, nr, ni, fr, fi);
    turn_and_add<W>(nr + fraction * (fr - nr), ni + fraction * (fi - ni), phase, real, imaginary);
}

template <int W> INLINE void pick_and_add(const Window<W> &window, typename Lanes<W>::F at, typename Lanes<W>::F phase, float *real,
                                          float *imaginary) {
    typedef typename Lanes<W>::F F;
    typedef typename Lanes<W>::I I;
    const I lower = __builtin_convertvector(at, I);
    const F fraction = at - __builtin_convertvector(lower, F);
    const F vr = __builtin_shuffle(window.real, lower) + fraction * __builtin_shuffle(window.real_step, lower);
    const F vi = __builtin_shuffle(window.imaginary, lower) + fraction * __builtin_shuffle(window.imaginary_step, lower);
    turn_and_add<W>(vr, vi, phase, real, imaginary);
}

// One pulse seen from one tile.
struct Sight {
    double ux, uy, uz, curve, skew, turn;
    double position;  // of the tile's middle in the profile, in samples
    const float *profile;
};

INLINE Sight sight(const Job &job, int64_t tile, int64_t pulse) {
    const double *centre = job.centres + 3 * tile, *antenna = job.antennas + 3 * pulse;
    const double wx = centre[0] - antenna[0], wy = centre[1] - antenna[1], wz = centre[2] - antenna[2];
    const double r = std::sqrt(wx * wx + wy * wy + wz * wz), beyond = r - job.references[pulse], cycles = job.cycles_m * beyond;
    return {wx / r,
            wy / r,
            wz / r,
            0.5 / r,
            0.5 / (r * r),
            cycles - std::floor(cycles),
            beyond / job.step_m - double(job.first[pulse]),
            job.profiles + 2 * job.stride * pulse};
}

constexpr int MOST_LANES = MOST_SIDE > 16 ? MOST_SIDE : 16;

// A tile's sums, row by row; a row is `lanes` long, at least W.
struct Sums {
    alignas(64) float real[MOST_SIDE * MOST_LANES], imaginary[MOST_SIDE * MOST_LANES];
};

// Evenly spaced pixels on a plane: along a row, position and phase are cubic polynomials. Rows run the way along which range
// changes the least (`flip` exchanges the tile's axes for that), so that a row's samples mostly lie within one window.
template <int W> INLINE void add_plane(const Job &job, int64_t tile, int64_t lines, bool flip, Sums &sums) {
    typedef typename Lanes<W>::F F;
    const int64_t side = job.side, plane = side * side, lanes = side > W ? side : W;
    const float *set = job.offsets;
    double o[3], a[3], b[3];  // first pixel, step between rows, step along a row
    const int64_t last = side - 1;
    for (int axis = 0; axis < 3; ++axis) {
        const float *p = set + axis * plane;
        const double down = double(p[last * side] - p[0]) / double(last), across = double(p[last] - p[0]) / double(last);
        o[axis] = p[0], a[axis] = flip ? across : down, b[axis] = flip ? down : across;
    }
    alignas(64) float lane[MOST_LANES], lane2[MOST_LANES];
    const double half = 0.5 * double(last);
    for (int64_t k = 0; k < lanes; ++k) {
        lane[k] = float(double(k < side ? k : last) - half);
        lane2[k] = lane[k] * lane[k];
    }
    double row_x[MOST_SIDE], row_y[MOST_SIDE], row_z[MOST_SIDE], row_square[MOST_SIDE], row_slope[MOST_SIDE];
    for (int64_t row = 0; row < side; ++row) {  // middle of each row
        row_x[row] = o[0] + double(row) * a[0] + half * b[0];
        row_y[row] = o[1] + double(row) * a[1] + half * b[1];
        row_z[row] = o[2] + double(row) * a[2] + half * b[2];
        row_square[row] = row_x[row] * row_x[row] + row_y[row] * row_y[row] + row_z[row] * row_z[row];
        row_slope[row] = 2.0 * (row_x[row] * b[0] + row_y[row] * b[1] + row_z[row] * b[2]);
    }
    const double spread = b[0] * b[0] + b[1] * b[1] + b[2] * b[2], per_m = 1.0 / job.step_m;
    double middle[MOST_SIDE];
    float p0[MOST_SIDE], p1[MOST_SIDE], p2[MOST_SIDE], c0[MOST_SIDE], c1[MOST_SIDE], c2[MOST_SIDE];
    int32_t base[MOST_SIDE];
    for (int64_t pulse = 0; pulse < job.pulses; ++pulse) {
        const Sight view = sight(job, tile, pulse);
        const double along = view.ux * b[0] + view.uy * b[1] + view.uz * b[2], bend = spread - along * along;
        // Range of a row's middle, and its change along the row: coefficients of 1, j, j^2, j^3 in metres; the last are alike.
        const double t1 = -view.skew * along, cubic = bend * t1;
        for (int64_t row = 0; row < lines; ++row) {
            const double start = view.ux * row_x[row] + view.uy * row_y[row] + view.uz * row_z[row];
            const double q0 = row_square[row] - start * start, q1 = row_slope[row] - 2.0 * start * along;
            const double t0 = view.curve - view.skew * start;
            const double range = start + q0 * t0, slope = along + q1 * t0 + q0 * t1, curve = bend * t0 + q1 * t1;
            middle[row] = view.position + per_m * range;
            const double cycles = view.turn + job.cycles_m * range;
            c0[row] = float(cycles - ((cycles + DOUBLE_ROUNDER) - DOUBLE_ROUNDER));
            p1[row] = float(per_m * slope), p2[row] = float(per_m * curve);
            c1[row] = float(job.cycles_m * slope), c2[row] = float(job.cycles_m * curve);
        }
        const float p3 = float(per_m * cubic), c3 = float(job.cycles_m * cubic), extent = float(half);
        float steepest = 0.0f, bent = 0.0f;
        for (int64_t row = 0; row < lines; ++row) {
            const float steep = std::fabs(p1[row]), curved = std::fabs(p2[row]);
            steepest = steep > steepest ? steep : steepest, bent = curved > bent ? curved : bent;
        }
        const float curved = (bent + std::fabs(p3) * extent) * extent * extent + 0.01f;
        const float reach = steepest * extent + curved, step = steepest * (0.5f * W) + curved;
        for (int64_t row = 0; row < lines; ++row) {
            base[row] = int32_t(middle[row] - reach);  // positions are positive: truncation is floor
            p0[row] = float(middle[row] - base[row]);
        }
#define POSITION (p0[row] + p1[row] * j) + jj * (p2[row] + p3 * j)
#define PHASE (c0[row] + c1[row] * j) + jj * (c2[row] + c3 * j)
        if (2.0f * reach < W - 2) {
            for (int64_t row = 0; row < lines; ++row) {
                float *real = sums.real + row * lanes, *imaginary = sums.imaginary + row * lanes;
                const Window<W> window = Window<W>::take(view.profile + 2 * int64_t(base[row]));
                for (int64_t k = 0; k < lanes; k += W) {
                    const F j = *(const F *)(lane + k), jj = *(const F *)(lane2 + k);
                    pick_and_add<W>(window, POSITION, PHASE, real + k, imaginary + k);
                }
            }
        } else if (2.0f * step < W - 2) {
            for (int64_t row = 0; row < lines; ++row) {
                float *real = sums.real + row * lanes, *imaginary = sums.imaginary + row * lanes;
                for (int64_t k = 0; k < lanes; k += W) {
                    const F j = *(const F *)(lane + k), jj = *(const F *)(lane2 + k);
                    const int32_t skip = int32_t(p0[row] + p1[row] * (lane[k] + 0.5f * (W - 1)) - step);
                    const Window<W> window = Window<W>::take(view.profile + 2 * int64_t(base[row] + skip));
                    pick_and_add<W>(window, (POSITION) - float(skip), PHASE, real + k, imaginary + k);
                }
            }
        } else {
            for (int64_t row = 0; row < lines; ++row) {
                float *real = sums.real + row * lanes, *imaginary = sums.imaginary + row * lanes;
                const float *samples = view.profile + 2 * int64_t(base[row]);
                for (int64_t k = 0; k < lanes; k += W) {
                    const F j = *(const F *)(lane + k), jj = *(const F *)(lane2 + k);
                    gather_and_add<W>(samples, POSITION, PHASE, real + k, imaginary + k);
                }
            }
        }
#undef POSITION
#undef PHASE
    }
}

// Pixels anywhere about the tile's middle.
template <int W> INLINE void add_surface(const Job &job, int64_t tile, int64_t lines, Sums &sums) {
    typedef typename Lanes<W>::F F;
    const int64_t side = job.side, plane = side * side, lanes = side > W ? side : W;
    alignas(64) float x[MOST_SIDE * MOST_LANES], y[MOST_SIDE * MOST_LANES], z[MOST_SIDE * MOST_LANES],
        square[MOST_SIDE * MOST_LANES];
    const float *set = job.offsets + tile * 4 * plane;
    double most = 0.0;
    for (int64_t row = 0; row < side; ++row)
        for (int64_t k = 0; k < lanes; ++k) {
            const int64_t from = row * side + (k < side ? k : side - 1), to = row * lanes + k;
            x[to] = set[from], y[to] = set[plane + from], z[to] = set[2 * plane + from], square[to] = set[3 * plane + from];
            most = square[to] > most ? square[to] : most;
        }
    const double reach = std::ceil(std::sqrt(most) / job.step_m) + 1.0;
    const float per_m = float(1.0 / job.step_m), cycles_m = float(job.cycles_m);
    for (int64_t pulse = 0; pulse < job.pulses; ++pulse) {
        const Sight view = sight(job, tile, pulse);
        const float ux = float(view.ux), uy = float(view.uy), uz = float(view.uz);
        const float curve = float(view.curve), skew = float(view.skew), turn = float(view.turn);
        // In single precision positions must be small, for their fraction's sake, and positive, so that truncation is floor.
        const double base = std::floor(view.position) - reach;
        const float part = float(view.position - base);
        const float *samples = view.profile + 2 * int64_t(base);
        for (int64_t k = 0; k < lines * lanes; k += W) {
            const F along = ux * *(const F *)(x + k) + uy * *(const F *)(y + k) + uz * *(const F *)(z + k);
            const F beside = *(const F *)(square + k) - along * along;
            const F offset = along + beside * (curve - skew * along);
            gather_and_add<W>(samples, part + per_m * offset, turn + cycles_m * offset, sums.real + k, sums.imaginary + k);
        }
    }
}

template <int W> INLINE void add(const Job &job) {
    const int64_t side = job.side, across = (job.cols + side - 1) / side, plane = side * side, lanes = side > W ? side : W;
    Sums sums;
    bool flip = false;
    if (job.sets == 1 && job.begin < job.end && job.pulses > 0) {
        const Sight view = sight(job, job.begin, job.pulses / 2);
        const float *x = job.offsets, *y = x + plane, *z = y + plane;
        auto toward = [&](int64_t k) { return std::fabs(view.ux * (x[k] - x[0]) + view.uy * (y[k] - y[0]) + view.uz * (z[k] - z[0])); };
        flip = toward(side - 1) > toward((side - 1) * side);
    }
    for (int64_t tile = job.begin; tile < job.end; ++tile) {
        const int64_t top = tile / across * side, left = tile % across * side;
        const int64_t height = job.rows - top < side ? job.rows - top : side;
        const int64_t width = job.cols - left < side ? job.cols - left : side;
        const int64_t lines = flip ? width : height;
        std::memset(sums.real, 0, 4 * lines * lanes), std::memset(sums.imaginary, 0, 4 * lines * lanes);
        if (job.sets == 1)
            add_plane<W>(job, tile, lines, flip, sums);
        else
            add_surface<W>(job, tile, lines, sums);
        for (int64_t row = 0; row < height; ++row) {
            float *out = job.image + 2 * ((top + row) * job.cols + left);
            for (int64_t col = 0; col < width; ++col) {
                const int64_t from = flip ? col * lanes + row : row * lanes + col;
                out[2 * col] += sums.real[from];
                out[2 * col + 1] += sums.imaginary[from];
            }
        }
    }
}

void add_any(const Job &job) { add<4>(job); }
#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) void add_avx2(const Job &job) { add<8>(job); }
__attribute__((target(KIZUNA_WIDE_TARGET))) void add_avx512(const Job &job) { add<16>(job); }
#endif

}  // namespace

extern "C" {

// 0: any processor, 1: AVX2, 2: AVX-512.
__attribute__((visibility("default"))) int kizuna_best_level() {
#if defined(KIZUNA_ASSUME_WIDE)
    return 2;
#elif defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 1;
#endif
    return 0;
}

__attribute__((visibility("default"))) void kizuna_add_tiles(int level, float *image, int64_t rows, int64_t cols, int64_t begin, int64_t end, const double *centres,
                      const float *offsets, int64_t sets, int64_t side, const double *antennas, const double *references,
                      int64_t pulses, const float *profiles, int64_t stride, const int64_t *first, double step_m,
                      double cycles_m) {
    const Job job{image,    rows,       cols,   begin,    end,    centres, offsets, sets,     side,
                  antennas, references, pulses, profiles, stride, first,   step_m,  cycles_m};
#if defined(__x86_64__)
    if (level == 2) return add_avx512(job);
    if (level == 1) return add_avx2(job);
#endif
    add_any(job);
}
}
