// The one file that sees OpenCV. Each function is a few lines of C++ inside guarded(), so that no
// exception reaches C. What OpenCV reports by return value becomes a sentence here too.
#include "opencv_c.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>
#include <opencv2/videoio.hpp>
#include <opencv2/videoio/registry.hpp>

struct cvc_video {
    std::string uri;
    cv::VideoCapture capture;
    cv::Mat picture; // of the last cvc_video_next()
};

struct cvc_cascade {
    cv::CascadeClassifier classifier;
};

struct cvc_net {
    cv::dnn::Net net;
    std::string in, out;
    cv::Mat input, output;
};

namespace
{

constexpr int OPEN_TIMEOUT_MS = 5000; // network sources; files do not wait
constexpr int READ_TIMEOUT_MS = 900;  // a reader that is asked to stop must be back within a second
constexpr int64_t PIXELS_MAX = 64 << 20;

int fail(char *why, size_t cap, const char *sentence)
{
    if (why != nullptr && cap > 0)
        std::snprintf(why, cap, "%s", sentence);
    return CVC_FAILED;
}

// Runs body() and turns whatever it throws into CVC_FAILED and a sentence.
template <typename Body> int guarded(char *why, size_t cap, Body body) noexcept
{
    try {
        return body();
    } catch (const cv::Exception &e) {
        return fail(why, cap, e.err.empty() ? e.what() : e.err.c_str());
    } catch (const std::exception &e) {
        return fail(why, cap, e.what());
    } catch (...) {
        return fail(why, cap, "unknown failure inside OpenCV");
    }
}

int type_of(int channels)
{
    return channels == 1 ? CV_8UC1 : CV_8UC3;
}

cv::Mat view(const uint8_t *px, int width, int height, int stride, int type)
{
    if (width <= 0 || height <= 0)
        throw std::invalid_argument("a picture needs a positive size");
    return cv::Mat(height, width, type, const_cast<uint8_t *>(px), static_cast<size_t>(stride));
}

// cv::Mat reallocates an output of another size or type silently; here that is an error.
void must_stay(const cv::Mat &m, const uint8_t *px)
{
    if (m.data != px)
        throw std::length_error("the picture has another size than expected");
}

unsigned be16(const uint8_t *p)
{
    return static_cast<unsigned>(p[0]) << 8 | p[1];
}

// Pixels that a PNG or JPEG claims, before anything is allocated for them; 0: another format.
int64_t claimed_pixels(const uint8_t *p, size_t len)
{
    if (len >= 24 && std::memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0)
        return static_cast<int64_t>(be16(p + 16) << 16 | be16(p + 18)) *
               static_cast<int64_t>(be16(p + 20) << 16 | be16(p + 22));
    if (len < 4 || p[0] != 0xff || p[1] != 0xd8)
        return 0;
    for (size_t i = 2; i + 9 < len && p[i] == 0xff; i += 2 + be16(p + i + 2)) {
        bool frame = p[i + 1] >= 0xc0 && p[i + 1] <= 0xcf && p[i + 1] != 0xc4 && p[i + 1] != 0xc8 &&
                     p[i + 1] != 0xcc; // ITU T.81, table B.1
        if (frame)
            return static_cast<int64_t>(be16(p + i + 5)) * be16(p + i + 7);
    }
    return 0;
}

// A JPEG ends with an EOI marker; cameras may pad it with zeros.
bool jpeg_whole(const uint8_t *p, size_t len)
{
    while (len > 2 && p[len - 1] == 0)
        len--;
    return len > 4 && p[0] == 0xff && p[1] == 0xd8 && p[len - 2] == 0xff && p[len - 1] == 0xd9;
}

cv::Mat bytes_view(const void *data, size_t len)
{
    if (len == 0 || len > INT32_MAX)
        throw std::invalid_argument("empty or oversized image data");
    const auto *p = static_cast<const uint8_t *>(data);
    if (claimed_pixels(p, len) > PIXELS_MAX)
        throw std::length_error("the picture claims more than 64 megapixels");
    return cv::Mat(1, static_cast<int>(len), CV_8UC1, const_cast<uint8_t *>(p));
}

int open_capture(cvc_video *v, char *why, size_t cap)
{
    const std::vector<int> params = {cv::CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS,
                                     cv::CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS};
    bool ffmpeg = cv::videoio_registry::hasBackend(cv::CAP_FFMPEG);
    if (ffmpeg ? !v->capture.open(v->uri, cv::CAP_FFMPEG, params) : !v->capture.open(v->uri))
        return fail(why, cap, "it can not be opened as a video");
    return CVC_OK;
}

uint8_t *copy_out(const void *data, size_t len)
{
    auto *p = static_cast<uint8_t *>(std::malloc(len));
    if (p == nullptr)
        throw std::bad_alloc();
    std::memcpy(p, data, len);
    return p;
}

std::vector<uint8_t> read_file(const char *path)
{
    std::FILE *f = std::fopen(path, "rb");
    if (f == nullptr)
        throw std::runtime_error(std::strerror(errno));
    std::vector<uint8_t> bytes;
    uint8_t block[1 << 16];
    for (size_t n; (n = std::fread(block, 1, sizeof block, f)) > 0;)
        bytes.insert(bytes.end(), block, block + n);
    std::fclose(f);
    return bytes;
}

} // namespace

void cvc_setup(void)
{
    static std::once_flag once;
    std::call_once(once, [] {
        setenv("OPENCV_FFMPEG_LOGLEVEL", "-8", 0); // AV_LOG_QUIET
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        cv::redirectError(
            [](int, const char *, const char *, const char *, int, void *) { return 0; });
        cv::setNumThreads(1);
    });
}

const char *cvc_version(void)
{
    return CV_VERSION;
}

int cvc_video_open(struct cvc_video **out, const char *uri, char *why, size_t cap)
{
    *out = nullptr;
    return guarded(why, cap, [&] {
        cvc_setup();
        auto v = std::make_unique<cvc_video>();
        v->uri = uri;
        if (open_capture(v.get(), why, cap) != CVC_OK)
            return static_cast<int>(CVC_FAILED);
        *out = v.release();
        return static_cast<int>(CVC_OK);
    });
}

int cvc_video_next(struct cvc_video *v, int *width, int *height, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        if (!v->capture.read(v->picture) || v->picture.empty())
            return static_cast<int>(CVC_END);
        if (v->picture.type() != CV_8UC3)
            return fail(why, cap, "its pictures are not 8-bit BGR");
        *width = v->picture.cols;
        *height = v->picture.rows;
        return static_cast<int>(CVC_OK);
    });
}

int cvc_video_copy(struct cvc_video *v, uint8_t *bgr, int width, int height, int stride, char *why,
                   size_t cap)
{
    return guarded(why, cap, [&] {
        cv::Mat dst = view(bgr, width, height, stride, CV_8UC3);
        v->picture.copyTo(dst);
        must_stay(dst, bgr);
        return static_cast<int>(CVC_OK);
    });
}

int cvc_video_rewind(struct cvc_video *v, char *why, size_t cap)
{
    // Seeking to 0 is wrong or refused for some containers; opening again never is.
    return guarded(why, cap, [&] {
        v->capture.release();
        return open_capture(v, why, cap);
    });
}

static double property(const struct cvc_video *v, int id)
{
    double value = 0.0;
    guarded(nullptr, 0, [&] {
        value = v->capture.get(id);
        return static_cast<int>(CVC_OK);
    });
    return value;
}

double cvc_video_fps(const struct cvc_video *v)
{
    double fps = property(v, cv::CAP_PROP_FPS);
    return fps > 0.0 && fps <= 1000.0 ? fps : 0.0;
}

int64_t cvc_video_length(const struct cvc_video *v)
{
    double n = property(v, cv::CAP_PROP_FRAME_COUNT);
    return n > 0.0 && n < 1e12 ? static_cast<int64_t>(n) : 0;
}

void cvc_video_close(struct cvc_video *v)
{
    guarded(nullptr, 0, [&] {
        delete v;
        return static_cast<int>(CVC_OK);
    });
}

int cvc_cascade_open(struct cvc_cascade **out, const char *xml_path, char *why, size_t cap)
{
    *out = nullptr;
    return guarded(why, cap, [&] {
        cvc_setup();
        auto c = std::make_unique<cvc_cascade>();
        if (!c->classifier.load(xml_path))
            return fail(why, cap, "it is missing or is no cascade file");
        *out = c.release();
        return static_cast<int>(CVC_OK);
    });
}

int cvc_cascade_detect(struct cvc_cascade *c, const uint8_t *gray, int width, int height,
                       int stride, double scale, int neighbours, int min_side, int max_side,
                       struct cvc_rect *out, int *support, int max, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        std::vector<cv::Rect> hits;
        std::vector<int> counts;
        c->classifier.detectMultiScale(view(gray, width, height, stride, CV_8UC1), hits, counts,
                                       scale, neighbours, 0, cv::Size(min_side, min_side),
                                       cv::Size(max_side, max_side));
        int n = static_cast<int>(hits.size()) < max ? static_cast<int>(hits.size()) : max;
        for (int i = 0; i < n; i++) {
            out[i] = {hits[i].x, hits[i].y, hits[i].width, hits[i].height};
            if (support != nullptr)
                support[i] = counts[i];
        }
        return n;
    });
}

void cvc_cascade_close(struct cvc_cascade *c)
{
    guarded(nullptr, 0, [&] {
        delete c;
        return static_cast<int>(CVC_OK);
    });
}

int cvc_bgr_to_gray(const uint8_t *bgr, int width, int height, int stride, uint8_t *gray,
                    int gray_stride, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        cv::Mat dst = view(gray, width, height, gray_stride, CV_8UC1);
        cv::cvtColor(view(bgr, width, height, stride, CV_8UC3), dst, cv::COLOR_BGR2GRAY);
        must_stay(dst, gray);
        return static_cast<int>(CVC_OK);
    });
}

int cvc_resize(const uint8_t *src, int sw, int sh, int ss, uint8_t *dst, int dw, int dh, int ds,
               int channels, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        int type = type_of(channels);
        cv::Mat to = view(dst, dw, dh, ds, type);
        cv::resize(view(src, sw, sh, ss, type), to, to.size(), 0.0, 0.0,
                   dw < sw || dh < sh ? cv::INTER_AREA : cv::INTER_LINEAR);
        must_stay(to, dst);
        return static_cast<int>(CVC_OK);
    });
}

int cvc_hog(const uint8_t *gray, int width, int height, float *out, int max, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        const cv::HOGDescriptor hog({width, height}, {16, 16}, {8, 8}, {8, 8}, 9);
        std::vector<float> values;
        hog.compute(view(gray, width, height, width, CV_8UC1), values);
        if (values.size() > static_cast<size_t>(max))
            return fail(why, cap, "no room for the histograms of a picture of this size");
        std::copy(values.begin(), values.end(), out);
        return static_cast<int>(values.size());
    });
}

int cvc_net_open(struct cvc_net **out, const char *onnx_path, const char *input, const char *output,
                 const int *dims, int rank, int threads, char *why, size_t cap)
{
    *out = nullptr;
    return guarded(why, cap, [&] {
        cvc_setup();
        auto n = std::make_unique<cvc_net>();
        n->in = input;
        n->out = output;
        n->input = cv::Mat(rank, dims, CV_32F, cv::Scalar(0));
        n->net = cv::dnn::readNetFromONNX(onnx_path);
        n->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        n->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
        cv::setNumThreads(threads);
        *out = n.release();
        return static_cast<int>(CVC_OK);
    });
}

float *cvc_net_input(struct cvc_net *n)
{
    return n->input.ptr<float>();
}

int cvc_net_run(struct cvc_net *n, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        n->net.setInput(n->input, n->in);
        n->output = n->net.forward(n->out);
        return static_cast<int>(CVC_OK);
    });
}

const float *cvc_net_output(const struct cvc_net *n)
{
    return n->output.ptr<float>();
}

void cvc_net_close(struct cvc_net *n)
{
    delete n;
}

int cvc_raw_to_bgr(const char *fourcc, const uint8_t *src, size_t bytes, int src_stride, int width,
                   int height, uint8_t *bgr, int stride, char *why, size_t cap)
{
    // rows: lines of the buffer in units of half the height, as planar 4:2:0 has 3/2 of them.
    static const struct {
        const char *fourcc;
        int type, halves, code;
    } formats[] = {
        {"YUYV", CV_8UC2, 2, cv::COLOR_YUV2BGR_YUYV},
        {"UYVY", CV_8UC2, 2, cv::COLOR_YUV2BGR_UYVY},
        {"NV12", CV_8UC1, 3, cv::COLOR_YUV2BGR_NV12},
        {"YU12", CV_8UC1, 3, cv::COLOR_YUV2BGR_I420},
        {"GREY", CV_8UC1, 2, cv::COLOR_GRAY2BGR},
        {"RGB3", CV_8UC3, 2, cv::COLOR_RGB2BGR},
        {"BGR3", CV_8UC3, 2, -1},
    };
    return guarded(why, cap, [&] {
        for (const auto &f : formats) {
            if (std::strcmp(f.fourcc, fourcc) != 0)
                continue;
            int rows = height * f.halves / 2;
            int row_bytes = width * CV_MAT_CN(f.type);
            if (src_stride < row_bytes ||
                static_cast<size_t>(src_stride) * (rows - 1) + row_bytes > bytes)
                return fail(why, cap, "the camera's picture is cut short");
            cv::Mat from = view(src, width, rows, src_stride, f.type);
            cv::Mat to = view(bgr, width, height, stride, CV_8UC3);
            if (f.code < 0)
                from.copyTo(to);
            else
                cv::cvtColor(from, to, f.code);
            must_stay(to, bgr);
            return static_cast<int>(CVC_OK);
        }
        return fail(why, cap, "the camera's picture format is not supported");
    });
}

int cvc_image_read(const char *path, int channels, uint8_t **px, int *width, int *height, char *why,
                   size_t cap)
{
    *px = nullptr;
    return guarded(why, cap, [&] {
        std::vector<uint8_t> bytes = read_file(path);
        return cvc_image_decode(bytes.data(), bytes.size(), channels, px, width, height, why, cap);
    });
}

int cvc_image_decode(const void *data, size_t len, int channels, uint8_t **px, int *width,
                     int *height, char *why, size_t cap)
{
    *px = nullptr;
    return guarded(why, cap, [&] {
        cvc_setup();
        cv::Mat m = cv::imdecode(bytes_view(data, len),
                                 channels == 1 ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR);
        if (m.empty())
            return fail(why, cap, "it is not an image, or a damaged one");
        *px = copy_out(m.data, m.total() * m.elemSize());
        *width = m.cols;
        *height = m.rows;
        return static_cast<int>(CVC_OK);
    });
}

int cvc_image_decode_into(const void *data, size_t len, uint8_t *bgr, int width, int height,
                          int stride, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        const auto *p = static_cast<const uint8_t *>(data);
        if (!jpeg_whole(p, len) || claimed_pixels(p, len) != static_cast<int64_t>(width) * height)
            return fail(why, cap, "the JPEG is cut short or of another size");
        cv::Mat dst = view(bgr, width, height, stride, CV_8UC3);
        cv::imdecode(bytes_view(data, len), cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION, &dst);
        must_stay(dst, bgr);
        return static_cast<int>(CVC_OK);
    });
}

int cvc_text(uint8_t *bgr, int width, int height, int stride, int x, int y, double size,
             const uint8_t colour[3], const char *text, char *why, size_t cap)
{
    return guarded(why, cap, [&] {
        cv::Mat dst = view(bgr, width, height, stride, CV_8UC3);
        const int font = cv::FONT_HERSHEY_SIMPLEX;
        cv::putText(dst, text, {x, y}, font, cv::getFontScaleFromHeight(font, cvRound(size)),
                    cv::Scalar(colour[0], colour[1], colour[2]), 1, cv::LINE_AA);
        return static_cast<int>(CVC_OK);
    });
}

int cvc_image_encode(const char *type, const uint8_t *px, int channels, int width, int height,
                     int stride, uint8_t **out, size_t *len, char *why, size_t cap)
{
    *out = nullptr;
    return guarded(why, cap, [&] {
        std::vector<uint8_t> bytes;
        if (!cv::imencode(type, view(px, width, height, stride, type_of(channels)), bytes))
            return fail(why, cap, "OpenCV could not encode the picture");
        *out = copy_out(bytes.data(), bytes.size());
        *len = bytes.size();
        return static_cast<int>(CVC_OK);
    });
}

void cvc_free(void *p)
{
    std::free(p);
}
