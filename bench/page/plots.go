package page

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgsvg" // the format

	"example/turnstile/bench/results"
)

// colours can be told apart by people who see few colours (Okabe and Ito); glyphs, without any.
var colours = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff},
	color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	color.RGBA{0x56, 0xb4, 0xe9, 0xff},
	color.RGBA{0x55, 0x55, 0x55, 0xff},
	color.RGBA{0x8b, 0x45, 0x13, 0xff},
}

var glyphs = []draw.GlyphDrawer{
	draw.CircleGlyph{},
	draw.SquareGlyph{},
	draw.TriangleGlyph{},
	draw.PyramidGlyph{},
	draw.RingGlyph{},
	draw.BoxGlyph{},
	draw.PlusGlyph{},
	draw.CrossGlyph{},
}

func init() { plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"} }

// family names fonts with the widths that the plots are laid out for, and one that every system has.
const family = "font-family:Liberation Sans, Arial, Helvetica, sans-serif"

var unsafe = regexp.MustCompile(`[^a-z0-9]+`)

// file returns the name of the series' plot.
func (s *series) file() string {
	name := strings.Join([]string{s.Part, s.Series, s.Place}, "-")
	return strings.Trim(unsafe.ReplaceAllString(strings.ToLower(name), "-"), "-") + ".svg"
}

// Plots returns a plot for each series, by file name.
func Plots(f *results.File) (map[string][]byte, error) {
	plots := map[string][]byte{}
	for _, part := range []string{"primitives", "update", "locks", "api", "loop"} {
		for _, s := range seriesOf(f, part) {
			draw := s.dots
			if s.By != "" {
				draw = s.lines
			}
			content, err := draw(f)
			if err != nil {
				return nil, fmt.Errorf("plot %s: %w", s.file(), err)
			}
			plots[s.file()] = content
		}
	}
	return plots, nil
}

// A cloud is points with what they lie between.
type cloud struct {
	plotter.XYs
	low, high []float64
}

func (c cloud) XError(i int) (float64, float64) { return c.X(i) - c.low[i], c.high[i] - c.X(i) }
func (c cloud) YError(i int) (float64, float64) { return c.Y(i) - c.low[i], c.high[i] - c.Y(i) }
func (c cloud) X(i int) float64                 { return c.XYs[i].X }
func (c cloud) Y(i int) float64                 { return c.XYs[i].Y }

// scaled returns a spread in seconds, or as it is. A logarithm has no room for 0, nor for what is less.
func scaled(s results.Spread, unit string) (results.Spread, bool) {
	if results.IsTime(unit) {
		s = results.Spread{Median: s.Median / 1e9, Min: s.Min / 1e9, Max: s.Max / 1e9}
	}
	return s, s.Min > 0 && !math.IsInf(s.Max, 0)
}

func (s *series) axis() string {
	if results.IsTime(s.Unit) {
		return "time"
	}
	return measure(s.Unit)
}

func (s *series) new(f *results.File) *plot.Plot {
	p := plot.New()
	p.Title.Text = s.heading(f)
	p.Title.Padding = vg.Points(8)
	return p
}

func svg(p *plot.Plot, height vg.Length) ([]byte, error) {
	w, err := p.WriterTo(8*vg.Inch, height, "svg")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if _, err := w.WriteTo(&text); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(text.Bytes(), []byte("font-family:Liberation Sans"), []byte(family)), nil
}

// scale makes an axis a logarithmic one, with units at its ticks. It keeps room around the values: one value alone is no range.
func (s *series) scale(a *plot.Axis) {
	a.Scale = plot.LogScale{}
	a.Min, a.Max = a.Min/1.3, a.Max*1.3
	a.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		ticks := plot.LogTicks{Prec: -1}.Ticks(low, high)
		for i := range ticks {
			if ticks[i].Label == "" {
				continue
			}
			unit := s.Unit
			v := ticks[i].Value
			if results.IsTime(unit) {
				v *= 1e9
			}
			ticks[i].Label = strings.TrimSpace(value(v, unit))
		}
		return ticks
	})
}

// dots draws one row for each contestant.
func (s *series) dots(f *results.File) ([]byte, error) {
	p := s.new(f)
	names := make([]string, len(s.Rows))
	for i := range s.Rows {
		r := s.Rows[len(s.Rows)-1-i] // the first one on top
		names[i] = r.Name
		spread, ok := scaled(r.Of(s.Unit), s.Unit)
		if r.Broken != "" || !ok {
			names[i] += " (broken)"
			continue
		}
		c := cloud{plotter.XYs{{X: spread.Median, Y: float64(i)}}, []float64{spread.Min}, []float64{spread.Max}}
		bars, err := plotter.NewXErrorBars(c)
		if err != nil {
			return nil, err
		}
		points, err := plotter.NewScatter(c)
		if err != nil {
			return nil, err
		}
		points.GlyphStyle = draw.GlyphStyle{Color: colours[0], Radius: vg.Points(3.5), Shape: glyphs[0]}
		if r.Name == s.Ours {
			points.Color, points.Radius = colours[1], vg.Points(5)
		}
		p.Add(bars, points)
	}
	p.NominalY(names...)
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	p.X.Label.Text = s.axis() + ", median, least and greatest"
	s.scale(&p.X)
	return svg(p, vg.Length(len(names))*0.27*vg.Inch+1.1*vg.Inch)
}

// lines draws a line for each contestant over X.
func (s *series) lines(f *results.File) ([]byte, error) {
	p := s.new(f)
	for i, r := range s.Rows {
		var c cloud
		for _, one := range s.all {
			row := one.Row(r.Name)
			if row == nil || row.Broken != "" {
				continue
			}
			if spread, ok := scaled(row.Of(one.Unit), one.Unit); ok {
				c.XYs = append(c.XYs, plotter.XY{X: one.X, Y: spread.Median})
				c.low, c.high = append(c.low, spread.Min), append(c.high, spread.Max)
			}
		}
		if len(c.XYs) == 0 {
			continue
		}
		if err := s.line(p, i, r.Name, c); err != nil {
			return nil, err
		}
	}
	p.X.Label.Text, p.Y.Label.Text = s.By, s.axis()
	p.X.Scale = plot.LogScale{}
	first, last := s.all[0].X, s.all[len(s.all)-1].X
	p.X.Min, p.X.Max = first/1.15, last*1.15*math.Pow(last/first*1.3, 0.6) // the legend has the room at the right to itself
	p.X.Tick.Marker = plot.ConstantTicks(s.ticks())
	s.scale(&p.Y)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = 0.3*vg.Inch + 6.9*vg.Inch*vg.Length(math.Log(last/p.X.Min)/math.Log(p.X.Max/p.X.Min))
	p.Add(plotter.NewGrid())
	return svg(p, 4.6*vg.Inch)
}

func (s *series) line(p *plot.Plot, i int, name string, c cloud) error {
	line, points, err := plotter.NewLinePoints(c)
	if err != nil {
		return err
	}
	bars, err := plotter.NewYErrorBars(c)
	if err != nil {
		return err
	}
	colour := colours[i%len(colours)]
	line.Color, bars.Color = colour, colour
	line.Width = vg.Points(1)
	if name == s.Ours {
		line.Width = vg.Points(2.5)
	}
	points.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(3.5), Shape: glyphs[i%len(glyphs)]}
	p.Add(line, points, bars)
	p.Legend.Add(name, line, points)
	return nil
}

func (s *series) ticks() []plot.Tick {
	var ticks []plot.Tick
	for _, c := range s.all {
		ticks = append(ticks, plot.Tick{Value: c.X, Label: number(c.X)})
	}
	return ticks
}
