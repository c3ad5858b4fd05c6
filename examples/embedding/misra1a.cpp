// NIST's Misra1a by Levenberg's and Marquardt's method, from NIST's first start.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "misra1a.h"

namespace {

// The loss on some data, with a workspace that all of its functions share.
class Loss {
public:
    Loss(const std::vector<double> &x, const std::vector<double> &y) {
        data_.n = static_cast<std::int64_t>(x.size());
        data_.x = x.data();
        data_.y = y.data();
        check(misra1a_check(&data_));
        const auto room =
            std::max(misra1a_value_workspace(&data_), misra1a_gauss_newton_workspace(&data_));
        work_.resize(static_cast<std::size_t>(room));
    }

    double value(const std::array<double, 2> &p) {
        double value;
        const auto room = static_cast<std::int64_t>(work_.size());
        check(misra1a_value(&data_, p.data(), &value, work_.data(), room));
        return value;
    }

    // The Gauss-Newton matrix, row by row, and the gradient.
    void gauss_newton(const std::array<double, 2> &p, std::array<double, 4> &G,
                      std::array<double, 2> &g) {
        const auto room = static_cast<std::int64_t>(work_.size());
        check(misra1a_gauss_newton(&data_, p.data(), G.data(), g.data(), work_.data(), room));
    }

private:
    static void check(std::int32_t status) {
        if (status != MISRA1A_OK) throw std::runtime_error(misra1a_message(status));
    }

    misra1a_data data_{};
    std::vector<unsigned char> work_;
};

}  // namespace

int main() try {
    const std::vector<double> x{77.6,  114.9, 141.1, 190.8, 239.9, 289.0, 332.8,
                                378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0};
    const std::vector<double> y{10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02,
                                44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78};
    Loss loss(x, y);
    std::array<double, 2> p{500, 1e-4}, g{};
    std::array<double, 4> G{};
    double value = loss.value(p), damping = 1e-3;
    for (int step = 0; step < 100 && damping < 1e12; ++step) {
        loss.gauss_newton(p, G, g);
        const double a = G[0] * (1 + damping), b = G[1], c = G[3] * (1 + damping);
        const double determinant = a * c - b * b;
        const std::array<double, 2> next{p[0] - (c * g[0] - b * g[1]) / determinant,
                                         p[1] - (a * g[1] - b * g[0]) / determinant};
        const double there = loss.value(next);
        damping *= there < value ? 0.1 : 10;  // also where there is nan
        if (there < value) {
            p = next;
            value = there;
        }
    }
    std::printf("b1 = %.8f, b2 = %.13f, sum of squares %.11f\n", p[0], p[1], value);
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
